"""The whole accelerator: memories, sequencer, array, requantiser, pool unit and port.

The host writes memory images through a 32-bit port, sets *start*, and reads results when
*done*. In between the sequencer fetches one layer's descriptor after another; no host is
asked. The port's address holds the memory's number in its upper bits (`Region`).
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from titian.accelerator.rtl.descriptor import FIELD_NAMES, FIELDS, WORDS
from titian.accelerator.rtl.feeder import ADDRESS_BITS, Feeder
from titian.accelerator.rtl.output_stationary import OutputStationary
from titian.accelerator.rtl.requantiser import PARAMETERS, STAGES, Requantiser

#: Bits of the port's address that count words of 32 bits inside a memory.
INDEX_BITS = 28


class Region(IntEnum):
    """What the upper bits of the port's address name."""

    CONTROL = 0  # write anything: start; read 0: bit 0 busy, 1: cycles in all
    DESCRIPTORS = 1
    WEIGHTS = 2
    PARAMETERS = 3
    ACTIVATIONS = 4
    CYCLES = 5  # one word a layer


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The design's free numbers.

    Attributes:
        rows: output pixels at work at the same time.
        cols: filters at work at the same time, and channels in a word of activations.
        layers: descriptors that fit.
        weights: words of `cols` weights.
        parameters: channels.
        activations: words of `cols` activations.
    """

    rows: int
    cols: int
    layers: int
    weights: int
    parameters: int
    activations: int

    @property
    def chunks(self) -> int:
        """32-bit words that the port needs for one word of `cols` bytes, a power of 2."""
        return 1 << (-(-self.cols // 4) - 1).bit_length()


class Machine(wiring.Component):  # type: ignore[misc]  # amaranth ships no types
    """See the module.

    Attributes:
        address: of the port; answers are there two cycles later.
        write_data: written when `write`.
        read_data: what lies at `address`.
        busy: from start to the last layer's end.
    """

    def __init__(self, sizes: Sizes) -> None:
        self.sizes = sizes
        super().__init__(
            {
                "address": In(32),
                "write_data": In(32),
                "write": In(1),
                "read_data": Out(32),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:  # noqa: ARG002 - Amaranth's signature
        """Describe the circuit."""
        m = Module()
        s = self.sizes
        word_bits = 8 * s.cols
        m.submodules.feeder = feeder = Feeder(s.rows, s.cols)
        m.submodules.array = array = OutputStationary(s.rows, s.cols)
        m.submodules.requantiser = requantiser = Requantiser()
        memory = _Memories(m, s)
        self._host(m, memory)

        # Activations and weights arrive two cycles after they were asked for.
        answered, inside, row = Signal(), Signal(), Signal(range(max(s.rows, 2)))
        valid, first, last = Signal(), Signal(), Signal()
        m.d.sync += [
            answered.eq(feeder.read),
            inside.eq(feeder.inside),
            row.eq(feeder.row),
            valid.eq(feeder.weight),
            first.eq(feeder.first),
            last.eq(feeder.last),
        ]
        f = feeder.fields
        m.d.comb += [
            memory.weights_read.addr.eq(feeder.weight_address),
            array.word.eq(
                Mux(inside, memory.activations_read.data, _repeated(f["in_zero"], s.cols))
            ),
            array.load.eq(answered & ~f["pool"]),
            array.row.eq(row),
            array.weights.eq(memory.weights_read.data),
            array.valid.eq(valid),
            array.first.eq(first),
            array.last.eq(last),
        ]
        with m.If(self.busy):
            m.d.comb += memory.activations_read.addr.eq(feeder.address)

        # Maxima, lane by lane.
        largest = Signal(word_bits)
        lanes = []
        for lane in range(s.cols):
            part = slice(8 * lane, 8 * lane + 8)
            new = memory.activations_read.data[part].as_signed()
            old = largest[part].as_signed()
            seen = Signal(8, name=f"seen_{lane}")
            best = Signal(8, name=f"best_{lane}")
            m.d.comb += [
                seen.eq(Mux(inside, new, -128)),
                best.eq(Mux(first | (seen.as_signed() > old), seen, old)),
            ]
            lanes.append(best)
        pooled = Signal()
        m.d.sync += pooled.eq(answered & last & f["pool"])
        with m.If(answered & f["pool"]):
            m.d.sync += largest.eq(Cat(*lanes))

        begin, ended = Signal(), Signal()
        m.d.comb += feeder.start.eq(begin)
        whole, word = self._drain(m, memory, feeder, array, requantiser, begin)
        self._writer(m, memory, feeder, begin, ended, (pooled, largest), (whole, word))
        self._sequencer(m, memory, feeder, begin, ended)
        return m

    def _host(self, m: Module, memory: "_Memories") -> None:
        """Connect the port: writes at once, reads two cycles later."""
        s = self.sizes
        region, index = self.address[INDEX_BITS:], self.address[:INDEX_BITS]
        bits = s.chunks.bit_length() - 1
        chunk, place = index[:bits] if bits else 0, index[bits:]
        m.d.comb += [
            memory.descriptors_write.addr.eq(index),
            memory.descriptors_write.data.eq(self.write_data),
            memory.descriptors_write.en.eq(self.write & (region == Region.DESCRIPTORS)),
            memory.parameters_write.addr.eq(index[2:]),
            memory.parameters_write.data.eq(_repeated(self.write_data, 4)),
            memory.parameters_write.en.eq(
                Mux(self.write & (region == Region.PARAMETERS), 1 << index[:2], 0)
            ),
            memory.weights_write.addr.eq(place),
            memory.weights_write.data.eq(_repeated(self.write_data, s.chunks)),
            memory.activations_write.addr.eq(place),
            memory.activations_write.data.eq(_repeated(self.write_data, s.chunks)),
            memory.activations_read.addr.eq(place),
            memory.cycles_read.addr.eq(index),
        ]
        lanes = Signal(4 * s.chunks)
        m.d.comb += lanes.eq(0b1111 << (4 * chunk))
        with m.If(self.write & (region == Region.WEIGHTS)):
            m.d.comb += memory.weights_write.en.eq(lanes)
        with m.If(self.write & (region == Region.ACTIVATIONS)):
            m.d.comb += memory.activations_write.en.eq(lanes)
        m.d.comb += memory.start.eq(self.write & (region == Region.CONTROL) & ~self.busy)
        late_region, late_chunk = Signal(4), Signal(max(bits, 1))
        late_index = Signal(1)
        m.d.sync += [
            late_region.eq(region),
            late_chunk.eq(chunk),
            late_index.eq(index[0]),
        ]
        read = Signal(32 * s.chunks)
        m.d.comb += read.eq(memory.activations_read.data)
        parts = Array([read[32 * i : 32 * i + 32] for i in range(s.chunks)])
        with m.Switch(late_region):
            with m.Case(Region.ACTIVATIONS):
                m.d.sync += self.read_data.eq(parts[late_chunk])
            with m.Case(Region.CYCLES):
                m.d.sync += self.read_data.eq(memory.cycles_read.data)
            with m.Default():
                m.d.sync += self.read_data.eq(Mux(late_index, memory.total, self.busy))

    def _drain(
        self,
        m: Module,
        memory: "_Memories",
        feeder: Feeder,
        array: OutputStationary,
        requantiser: Requantiser,
        begin: Signal,
    ) -> tuple[Signal, Any]:
        """Empty the array, a sum a cycle; return when a word is whole, and the word."""
        s, f = self.sizes, feeder.fields
        active = Signal()
        row, lane = Signal(range(max(s.rows, 2))), Signal(range(max(s.cols, 2)))
        row_now, lane_now = Signal.like(row), Signal.like(lane)
        pixel = Signal(ADDRESS_BITS)
        parameters = Signal(ADDRESS_BITS)
        m.d.comb += [
            array.taking.eq(array.filled | active),
            row_now.eq(Mux(array.filled, 0, row)),
            lane_now.eq(Mux(array.filled, 0, lane)),
            array.take.eq(row_now),
            memory.parameters_read.addr.eq(parameters + lane_now),
        ]
        with m.If(begin):
            m.d.sync += [pixel.eq(0), parameters.eq(f["parameter_address"])]
        with m.If(array.taking):
            m.d.sync += [active.eq(1), row.eq(row_now), lane.eq(lane_now + 1)]
            with m.If(lane_now == s.cols - 1):
                m.d.sync += [lane.eq(0), row.eq(row_now + 1)]
                with m.If(row_now == s.rows - 1):
                    m.d.sync += [row.eq(0), active.eq(0), pixel.eq(pixel + s.rows)]
                    with m.If(pixel + s.rows >= f["pixels"]):
                        m.d.sync += [pixel.eq(0), parameters.eq(parameters + s.cols)]
        value = Signal.like(array.value)
        m.d.sync += value.eq(array.value)
        m.d.comb += [
            requantiser.acc.eq(value),
            requantiser.parameters.eq(memory.parameters_read.data[: PARAMETERS.size]),
            requantiser.zero.eq(f["out_zero"]),
        ]
        # The answer comes a cycle for the parameters and the requantiser's stages later.
        ends = [array.taking & (lane_now == s.cols - 1)]
        for stage in range(STAGES + 1):
            later = Signal(name=f"whole_{stage}")
            m.d.sync += later.eq(ends[-1])
            ends.append(later)
        assembled = Signal(8 * s.cols)
        shifted = Cat(assembled, requantiser.result)[8:]
        m.d.sync += assembled.eq(shifted)
        return ends[-1], shifted

    def _writer(
        self,
        m: Module,
        memory: "_Memories",
        feeder: Feeder,
        begin: Signal,
        ended: Signal,
        pooled: tuple[Signal, Any],
        drained: tuple[Signal, Any],
    ) -> None:
        """Write words of output pixels in the order in which folds make them."""
        s, f = self.sizes, feeder.fields
        row = Signal(range(max(s.rows, 2)))
        pixel, fold, address = Signal(ADDRESS_BITS), Signal(16), Signal(ADDRESS_BITS)
        start = Signal(ADDRESS_BITS)
        arrives = Signal()
        m.d.comb += arrives.eq(Mux(f["pool"], pooled[0], drained[0]))
        with m.If(self.busy):
            m.d.comb += [
                memory.activations_write.addr.eq(address),
                memory.activations_write.data.eq(Mux(f["pool"], pooled[1], drained[1])),
                memory.activations_write.en.eq(
                    _repeated(arrives & (pixel < f["pixels"]), 4 * s.chunks)
                ),
            ]
        with m.If(begin):
            m.d.sync += [
                row.eq(0),
                pixel.eq(0),
                fold.eq(0),
                address.eq(f["out_address"]),
                start.eq(f["out_address"]),
            ]
        with m.Elif(arrives):
            m.d.sync += [
                row.eq(row + 1),
                pixel.eq(pixel + 1),
                address.eq(address + f["out_groups"]),
            ]
            with m.If(f["pool"] | (row == s.rows - 1)):
                m.d.sync += row.eq(0)
                with m.If(pixel + 1 >= f["pixels"]):
                    m.d.sync += [
                        pixel.eq(0),
                        fold.eq(fold + 1),
                        address.eq(start + 1),
                        start.eq(start + 1),
                    ]
                    m.d.comb += ended.eq(fold + 1 == f["folds"])

    def _sequencer(
        self, m: Module, memory: "_Memories", feeder: Feeder, begin: Signal, ended: Signal
    ) -> None:
        """Fetch a descriptor, run the layer, note its cycles, go on until the last."""
        layer = Signal(16)
        field = Signal(range(WORDS + 1))
        arriving = Signal(range(WORDS + 1))
        cycles = Signal(32)
        m.d.comb += memory.descriptors_read.addr.eq(layer * WORDS + field)
        m.d.comb += [
            memory.cycles_write.addr.eq(layer),
            memory.cycles_write.data.eq(cycles + 1),
        ]
        with m.If(self.busy):
            m.d.sync += memory.total.eq(memory.total + 1)
        m.d.sync += cycles.eq(cycles + 1)
        with m.FSM():
            with m.State("IDLE"), m.If(memory.start):
                m.d.sync += [
                    self.busy.eq(1),
                    memory.total.eq(0),
                    layer.eq(0),
                    field.eq(0),
                    cycles.eq(0),
                ]
                m.next = "FETCH"
            with m.State("FETCH"):
                m.d.sync += [field.eq(field + 1), arriving.eq(field)]
                for place, name in enumerate(FIELD_NAMES):
                    with m.If((field != 0) & (arriving == place)):
                        m.d.sync += feeder.fields[name].eq(memory.descriptors_read.data)
                with m.If(field == len(FIELDS)):
                    m.next = "BEGIN"
            with m.State("BEGIN"):
                m.d.comb += begin.eq(1)
                m.next = "RUN"
            with m.State("RUN"), m.If(ended):
                m.d.comb += memory.cycles_write.en.eq(1)
                m.d.sync += [layer.eq(layer + 1), field.eq(0), cycles.eq(0)]
                with m.If(feeder.fields["last"]):
                    m.d.sync += self.busy.eq(0)
                    m.next = "IDLE"
                with m.Else():
                    m.next = "FETCH"


class _Memories:
    """The on-chip memories with their ports, and the two registers of the control region."""

    def __init__(self, m: Module, s: Sizes) -> None:
        width = 32 * s.chunks
        made = {
            name: Memory(shape=bits, depth=max(depth, 2), init=[])
            for name, bits, depth in (
                ("descriptors", 32, WORDS * s.layers),
                ("parameters", 128, s.parameters),
                ("weights", width, s.weights),
                ("activations", width, s.activations),
                ("cycles", 32, s.layers),
            )
        }
        for name, memory in made.items():
            m.submodules[f"{name}_memory"] = memory
        self.descriptors_write = made["descriptors"].write_port()
        self.descriptors_read = made["descriptors"].read_port()
        self.parameters_write = made["parameters"].write_port(granularity=32)
        self.parameters_read = made["parameters"].read_port()
        self.weights_write = made["weights"].write_port(granularity=8)
        self.weights_read = made["weights"].read_port()
        self.activations_write = made["activations"].write_port(granularity=8)
        self.activations_read = made["activations"].read_port()
        self.cycles_write = made["cycles"].write_port()
        self.cycles_read = made["cycles"].read_port()
        self.start = Signal()
        self.total = Signal(32)


def _repeated(value: Any, times: int) -> Any:  # noqa: ANN401 - any Amaranth value
    return Cat(*[value] * times)
