"""The requantiser: one multiplier that serves the certified map and the exact unit.

Six stages. A channel's parameters choose the way: ``(acc + bias) * M + off >> sh`` where the
channel has a certificate; otherwise the sum is rounded to 24 significant bits, multiplied by
the scale's mantissa, rounded to 24 significant bits and shifted, half to even each time, as
`titian.accelerator.quantization.requantisation.exact_requantise` does it with integers.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from titian.accelerator.quantization.requantisation import HIGHEST, LOWEST, MANTISSA_BITS

STAGES = 6
OFFSET_BITS = 54
SHIFT_BITS = 7
#: Beyond this no answer is anything but an extreme, whatever the zero point.
SATURATED = 511


#: What a channel needs; 118 bits, kept in words of 128.
PARAMETERS = data.StructLayout(
    {
        "bias": signed(32),
        "multiplier": unsigned(MANTISSA_BITS),
        "offset": signed(OFFSET_BITS),
        "shift": unsigned(SHIFT_BITS),
        "exact": unsigned(1),
    }
)


class Requantiser(wiring.Component):  # type: ignore[misc]  # amaranth ships no types
    """Turns a sum a cycle into 8 bits, `STAGES` cycles later.

    Attributes:
        acc: the sum.
        parameters: of its channel, in the same cycle.
        zero: zero point of the output, constant during a layer.
        result: the 8-bit answer.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "acc": In(signed(32)),
                "parameters": In(PARAMETERS),
                "zero": In(signed(8)),
                "result": Out(signed(8)),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: ARG002 - Amaranth's signature
        """Describe the circuit."""
        m = Module()
        # 1: the bias, wrapping at 32 bits as accumulators do
        one = Signal(PARAMETERS)
        total = Signal(signed(32))
        m.d.sync += [one.eq(self.parameters), total.eq(self.acc + self.parameters.bias)]
        # 2: the multiplier's operand
        two = Signal(PARAMETERS)
        operand = Signal(signed(33))
        negative, lost = Signal(), Signal(4)
        magnitude = Signal(32)
        m.d.comb += magnitude.eq(Mux(total < 0, -total, total))
        first, dropped = _significant(m, magnitude, "first")
        m.d.sync += [
            two.eq(one),
            negative.eq(total < 0),
            lost.eq(dropped),
            operand.eq(Mux(one.exact, first, total)),
        ]
        # 3: the product
        three = Signal(PARAMETERS)
        product = Signal(signed(33 + MANTISSA_BITS))
        negative_3, lost_3 = Signal(), Signal(4)
        m.d.sync += [
            three.eq(two),
            negative_3.eq(negative),
            lost_3.eq(lost),
            product.eq(operand * two.multiplier),
        ]
        # 4: offset, or the second rounding
        four = Signal(PARAMETERS)
        moved = Signal(signed(60))
        second = Signal(MANTISSA_BITS + 1)
        right = Signal(signed(9))
        negative_4 = Signal()
        rounded, more = _significant(m, product[: 2 * MANTISSA_BITS + 1], "second")
        m.d.sync += [
            four.eq(three),
            negative_4.eq(negative_3),
            moved.eq(product + three.offset),
            second.eq(rounded),
            right.eq(three.shift - lost_3 - more),
        ]
        # 5: the shift
        answer = Signal(signed(11))
        affine = Signal(signed(60))
        m.d.comb += affine.eq(moved >> four.shift[:6])
        exact = _last_shift(m, second, right)
        m.d.sync += answer.eq(
            Mux(
                four.exact,
                Mux(negative_4, -exact, exact),
                Mux(
                    affine > SATURATED,
                    SATURATED,
                    Mux(affine < -SATURATED, -SATURATED, affine[:11].as_signed()),
                ),
            )
        )
        # 6: the zero point and the ends of 8 bits
        final = Signal(signed(12))
        m.d.comb += final.eq(answer + self.zero)
        m.d.sync += self.result.eq(
            Mux(final > HIGHEST, HIGHEST, Mux(final < LOWEST, LOWEST, final[:8].as_signed()))
        )
        return m


def _significant(m: Module, value: Value, name: str) -> tuple[Signal, Signal]:
    """Round a number that is not negative to 24 significant bits, half to even.

    Returns:
        The number, of 25 bits since it may round up to 2^24, and the bits shifted out.
    """
    width = len(value)
    most = width - MANTISSA_BITS
    drop = Signal(range(most + 1), name=f"{name}_drop")
    for bits in range(1, most + 1):
        with m.If(value[MANTISSA_BITS + bits - 1]):
            m.d.comb += drop.eq(bits)
    # Behind the number stand the bits that will fall off its end.
    aligned = Signal(width + most, name=f"{name}_aligned")
    m.d.comb += aligned.eq(Cat(Const(0, most), value) >> drop)
    kept = aligned[most : most + MANTISSA_BITS]
    half, rest = aligned[most - 1], aligned[: most - 1]
    result = Signal(MANTISSA_BITS + 1, name=f"{name}_rounded")
    m.d.comb += result.eq(kept + (half & (rest.any() | kept[0])))
    return result, drop


def _last_shift(m: Module, second: Signal, right: Signal) -> Signal:
    """Shift right, half to even, where the number is 0 or has 24 bits.

    Up to 13 places every number but 0 is past all answers; from 25 on every one becomes 0.
    """
    result = Signal(10)
    fewest, most = 14, 25
    places = Signal(range(most + 1))
    m.d.comb += places.eq(Mux(right < fewest, fewest, Mux(right > most, most, right)))
    aligned = Signal(len(second) + most)
    m.d.comb += aligned.eq(Cat(Const(0, most), second) >> places)
    kept = aligned[most:]
    half, rest = aligned[most - 1], aligned[: most - 1]
    whole = Signal(len(second) + 1)
    m.d.comb += whole.eq(kept + (half & (rest.any() | kept[0])))
    with m.If((right < fewest) & (second != 0) | (whole > SATURATED)):
        m.d.comb += result.eq(SATURATED)
    with m.Elif(right <= most):
        m.d.comb += result.eq(whole)
    return result
