"""The output-stationary array: sums stay, activations enter by rows, weights move down.

A row holds one output pixel and a column one filter. An activation is seen by its whole row
at once; a weight word reaches row r one cycle after row r - 1, which is when that row's
activations arrive. Each sum's last addition also loads it into the drain, so that the next
fold's products follow without a gap while the drain is emptied, a value a cycle.
"""

from itertools import pairwise

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class OutputStationary(wiring.Component):  # type: ignore[misc]  # amaranth ships no types
    """`rows` x `cols` multiply-accumulate units with their drain.

    Attributes:
        word: the activations of `cols` channels, for `row` when `load`.
        weights: a word of `cols` weights when `valid`, with `first` and `last` of a fold.
        filled: pulses when row 0 of the drain holds a fold's sums.
        take: the drain's row that gives a value; `taking` that it does so now.
        value: that value.
    """

    def __init__(self, rows: int, cols: int) -> None:
        self.rows, self.cols = rows, cols
        super().__init__(
            {
                "word": In(8 * cols),
                "load": In(1),
                "row": In(range(max(rows, 2))),
                "weights": In(8 * cols),
                "valid": In(1),
                "first": In(1),
                "last": In(1),
                "filled": Out(1),
                "taking": In(1),
                "take": In(range(max(rows, 2))),
                "value": Out(signed(32)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: ARG002 - Amaranth's signature
        """Describe the circuit."""
        m = Module()
        # Registers of 8 and 32 bits, not whole words: simulators are slow on wide ones.
        weights: list[Value] = [self.weights[8 * col : 8 * col + 8] for col in range(self.cols)]
        control: Value = Cat(self.valid, self.first, self.last)
        drains = []
        for row in range(self.rows):
            # Weights and their control, a cycle later than the row above.
            held = [Signal(8, name=f"weight_{row}_{col}") for col in range(self.cols)]
            marks = Signal(3, name=f"marks_{row}")
            m.d.sync += [h.eq(w) for h, w in zip(held, weights, strict=True)]
            m.d.sync += marks.eq(control)
            weights, control = list(held), marks
            lanes = [Signal(8, name=f"activation_{row}_{i}") for i in range(self.cols)]
            with m.If(self.load & (self.row == row)):
                m.d.sync += [x.eq(self.word[8 * i : 8 * i + 8]) for i, x in enumerate(lanes)]
            with m.Else():
                m.d.sync += [x.eq(after) for x, after in pairwise(lanes)]
            multiplied = Signal(3, name=f"multiplied_{row}")
            m.d.sync += multiplied.eq(marks)
            drain = [Signal(32, name=f"drain_{row}_{col}") for col in range(self.cols)]
            sums = []
            for col in range(self.cols):
                product = Signal(signed(16), name=f"product_{row}_{col}")
                total = Signal(signed(32), name=f"sum_{row}_{col}")
                after = Signal(signed(32), name=f"after_{row}_{col}")
                m.d.sync += product.eq(lanes[0].as_signed() * held[col].as_signed())
                m.d.comb += after.eq(Mux(multiplied[1], 0, total) + product)
                with m.If(multiplied[0]):
                    m.d.sync += total.eq(after)
                sums.append(after)
            with m.If(multiplied[0] & multiplied[2]):
                m.d.sync += [x.eq(total) for x, total in zip(drain, sums, strict=True)]
            with m.Elif(self.taking & (self.take == row)):
                m.d.sync += [x.eq(behind) for x, behind in pairwise(drain)]
            if row == 0:
                m.d.sync += self.filled.eq(multiplied[0] & multiplied[2])
            drains.append(drain[0])
        m.d.comb += self.value.eq(Array(drains)[self.take].as_signed())
        return m
