"""The feeder: walks windows over an image and asks for activations and weights.

A *slot* is a cycle. A *step* is one place in the kernel and one group of `cols` channels; it
lasts `period` slots, in which each of the rows' words is read once and, for the array, `cols`
weight words pass. So one read port feeds all rows, skewed by a cycle from row to row, as the
weights that move down the rows want it. A *fold* is the array's fill: `rows` output pixels
and `cols` filters. All addresses advance by sums; nothing is multiplied.
"""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from titian.accelerator.rtl.descriptor import FIELDS

ADDRESS_BITS = 24


class Feeder(wiring.Component):  # type: ignore[misc]  # amaranth ships no types
    """Drives the reads of a layer.

    Attributes:
        start: begin with the layer whose descriptor is held in `fields`.
        read: an activation word is read at `address` for `row`; `inside` says that the
            place lies on the image.
        weight: a weight word is read at `weight_address`.
        first: of a fold's weights (or of a window's pixels).
        last: likewise.
        ended: pulses behind the last fold's last slot.
    """

    def __init__(self, rows: int, cols: int) -> None:
        self.rows, self.cols = rows, cols
        self.period = max(rows, cols)
        self.fields = {
            name: Signal(signed(bits) if sign else bits, name=f"layer_{name}")
            for name, bits, sign in FIELDS
        }
        super().__init__(
            {
                "start": In(1),
                "read": Out(1),
                "address": Out(ADDRESS_BITS),
                "inside": Out(1),
                "row": Out(range(max(rows, 2))),
                "weight": Out(1),
                "weight_address": Out(ADDRESS_BITS),
                "first": Out(1),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: ARG002 - Amaranth's signature
        """Describe the circuit."""
        m = Module()
        f = self.fields
        busy, idling = Signal(), Signal()
        slot = Signal(range(self.period + 1))
        group, kernel_x, kernel_y = Signal(16), Signal(8), Signal(8)
        fold, pixel, wait = Signal(16), Signal(ADDRESS_BITS), Signal(ADDRESS_BITS)
        # The window's corner for the fold's first row (base) and for the row that reads now.
        base = _Corner("base")
        here = _Corner("here")
        ahead = _Corner("ahead")
        window_y, window_x = Signal(signed(16)), Signal(signed(16))
        offset = Signal(signed(ADDRESS_BITS))
        channel = Signal(ADDRESS_BITS)
        weights, weights_of_fold = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS)

        last_slot = Signal()
        m.d.comb += last_slot.eq(f["pool"] | (slot == self.period - 1))
        last_group = Signal()
        last_x, last_y = Signal(), Signal()
        m.d.comb += [
            last_group.eq(group + 1 == f["groups"]),
            last_x.eq(kernel_x + 1 == f["kernel_width"]),
            last_y.eq(kernel_y + 1 == f["kernel_height"]),
        ]
        last_step = Signal()
        m.d.comb += last_step.eq(last_group & last_x & last_y)
        reads = Signal()
        m.d.comb += reads.eq(Mux(f["pool"], slot == 0, slot < self.rows))

        # The corner behind the one that reads now.
        wraps = Signal()
        m.d.comb += wraps.eq(here.column + 1 == f["out_width"])
        m.d.comb += ahead.eq(here)
        with m.If(reads):
            m.d.comb += [
                ahead.column.eq(Mux(wraps, 0, here.column + 1)),
                ahead.x.eq(Mux(wraps, f["first_x"], here.x + f["stride_x"])),
                ahead.y.eq(Mux(wraps, here.y + f["stride_y"], here.y)),
                ahead.address.eq(here.address + Mux(wraps, f["row_step"], f["pixel_step"])),
            ]

        # What is asked for is registered once: sums and comparisons get a cycle of their own.
        place_y, place_x = Signal(signed(18)), Signal(signed(18))
        m.d.comb += [
            place_y.eq(here.y + window_y),
            place_x.eq(here.x + window_x),
        ]
        active = busy & ~idling
        m.d.sync += [
            self.read.eq(active & reads),
            self.address.eq(here.address + offset + channel),
            self.inside.eq(
                (place_y >= 0)
                & (place_y < f["height"])
                & (place_x >= 0)
                & (place_x < f["width"])
            ),
            self.row.eq(Mux(f["pool"], 0, slot)),
            self.weight.eq(active & ~f["pool"] & (slot < self.cols)),
            self.weight_address.eq(weights),
            self.first.eq(
                active & (slot == 0) & (group == 0) & (kernel_x == 0) & (kernel_y == 0)
            ),
            self.last.eq(active & last_step & Mux(f["pool"], 1, slot == self.cols - 1)),
        ]

        with m.If(self.start):
            m.d.sync += [
                busy.eq(1),
                idling.eq(0),
                slot.eq(0),
                group.eq(0),
                kernel_x.eq(0),
                kernel_y.eq(0),
                fold.eq(0),
                pixel.eq(0),
                wait.eq(0),
                window_y.eq(0),
                window_x.eq(0),
                offset.eq(0),
                channel.eq(0),
                weights.eq(f["weight_address"]),
                weights_of_fold.eq(f["weight_address"]),
                *base.origin(f),
                *here.origin(f),
            ]
        with m.Elif(busy & idling):
            m.d.sync += wait.eq(wait + 1)
            with m.If(wait + 1 == f["idle"]):
                m.d.sync += idling.eq(0)
        with m.Elif(busy):
            m.d.sync += [slot.eq(slot + 1), *here.become(ahead)]
            with m.If(~f["pool"] & (slot < self.cols)):
                m.d.sync += weights.eq(weights + 1)
            with m.If(last_slot):
                m.d.sync += [slot.eq(0), *here.become(base)]
                with m.If(~last_group):
                    m.d.sync += [group.eq(group + 1), offset.eq(offset + 1)]
                with m.Else():
                    m.d.sync += group.eq(0)
                    with m.If(~last_x):
                        m.d.sync += [
                            kernel_x.eq(kernel_x + 1),
                            window_x.eq(window_x + f["dilation_x"]),
                            offset.eq(offset + f["kernel_x_step"]),
                        ]
                    with m.Else():
                        m.d.sync += [
                            kernel_x.eq(0),
                            window_x.eq(0),
                            kernel_y.eq(kernel_y + 1),
                            window_y.eq(window_y + f["dilation_y"]),
                            offset.eq(offset + f["kernel_y_step"]),
                        ]
                with m.If(last_step):
                    self._next_fold(
                        m, base, here, ahead, pixel, fold, weights, weights_of_fold, channel
                    )
                    m.d.sync += [
                        kernel_x.eq(0),
                        kernel_y.eq(0),
                        window_x.eq(0),
                        window_y.eq(0),
                        offset.eq(0),
                        wait.eq(0),
                        idling.eq(f["idle"] != 0),
                    ]
                    done = pixel + Mux(f["pool"], 1, self.rows) >= f["pixels"]
                    with m.If(done & (fold + 1 == f["folds"])):
                        m.d.sync += busy.eq(0)
        return m

    def _next_fold(
        self,
        m: Module,
        base: "_Corner",
        here: "_Corner",
        ahead: "_Corner",
        pixel: Signal,
        fold: Signal,
        weights: Signal,
        weights_of_fold: Signal,
        channel: Signal,
    ) -> None:
        """Move on to the next pixels, or to the next filters' first pixels."""
        f = self.fields
        after = Signal(ADDRESS_BITS + 1)
        m.d.comb += after.eq(pixel + Mux(f["pool"], 1, self.rows))
        with m.If(after >= f["pixels"]):
            m.d.sync += [
                pixel.eq(0),
                fold.eq(fold + 1),
                weights_of_fold.eq(weights + 1),
                channel.eq(channel + f["fold_step"]),
                *base.origin(f),
                *here.origin(f),
            ]
            # The last weight may have passed some slots ago.
            with m.If(self.cols < self.period):
                m.d.sync += weights_of_fold.eq(weights)
        with m.Else():
            m.d.sync += [
                pixel.eq(after),
                weights.eq(weights_of_fold),
                *base.become(ahead),
                *here.become(ahead),
            ]


class _Corner:
    """Where a window's corner lies: on the image, in its row of windows, and in memory."""

    def __init__(self, name: str) -> None:
        self.y = Signal(signed(16), name=f"{name}_y")
        self.x = Signal(signed(16), name=f"{name}_x")
        self.column = Signal(16, name=f"{name}_column")
        self.address = Signal(signed(ADDRESS_BITS), name=f"{name}_address")

    def parts(self) -> tuple[Signal, ...]:
        return (self.y, self.x, self.column, self.address)

    def become(self, other: "_Corner") -> list[object]:
        return [a.eq(b) for a, b in zip(self.parts(), other.parts(), strict=True)]

    def eq(self, other: "_Corner") -> list[object]:
        return self.become(other)

    def origin(self, f: dict[str, Signal]) -> list[object]:
        return [
            self.y.eq(f["first_y"]),
            self.x.eq(f["first_x"]),
            self.column.eq(0),
            self.address.eq(f["first_address"]),
        ]
