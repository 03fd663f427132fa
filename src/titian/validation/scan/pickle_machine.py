"""Read a pickle opcode by opcode, and derive what it would build without building it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from titian.validation.scan.calls import build, call
from titian.validation.scan.memo import Memo
from titian.validation.scan.opcode_cursor import Cursor
from titian.validation.scan.opcodes import HIGHEST, KINDS, TABLE, Argument, name_of
from titian.validation.scan.pickle_values import (
    DATA,
    LONGEST_TEXT,
    MIXED,
    WIDEST,
    Box,
    Global,
    Made,
    Opaque,
    Place,
    Row,
    Value,
    is_data,
    is_mixed,
    row,
)
from titian.validation.scan.policy import Policy
from titian.validation.scan.runs import flat_pattern, plain_gets, run_pattern
from titian.validation.scan.source import CHUNK, Source

MOST_STACKED: Final = 1_000_000  # values; more would be no pickle that a pickler writes
MOST_SINGLE: Final = 10_000_000  # opcodes read one by one, about a microsecond each
MOST_MARKS: Final = 100_000
_AHEAD: Final = 1 << 12  # bytes that must be there before a run is looked for
_SMALL: Final = 1 << 18  # bytes; a shorter pickle is not worth compiling the patterns
_SMALL_TORCH: Final = 1 << 23  # bytes; below, the names of all tensors are kept
_LEAST: Final = 8  # bytes of a run
_TUPLE: Final = 2048  # bytes of a tuple that is read singly, so that rules see into it
_FRAMED: Final = 256  # bytes of one that a FRAME cuts
_FRAME: Final = b"\x95"
_FILLING: Final = (b"e", b"u", b"\x90")  # the run goes into a list, dict or set
_MARK: Final = Opaque.MARK
_ABSORBED: Final = 4096  # values of one frame; a pickler closes it after 1000 entries
_PATTERNS: Final = 6  # made for one pickle; afterwards reads of the memo go one by one
_RECORDED: Final = 100_000  # entries of a mapping that are remembered by name
_TEXT: Final = (ord("X"), ord("U"), 0x8C, 0x8D, ord("T"))
_BYTES: Final = (ord("B"), ord("C"), 0x8E, 0x96)


class Machine(Cursor):
    """One pickle in a source.

    Args:
        source: holds the pickle.
        start: offset of its first opcode.
        policy: what it may do.
        where: prefix of the places named (a member and a colon), or "".
        refuse: told of each name that is not allowed.
        storage: turns torch's persistent id into a storage; None where there are none.
        bulk: whether runs of data are read at once; keys of mappings in them are not kept.
    """

    def __init__(
        self,
        source: Source,
        start: int,
        policy: Policy,
        *,
        where: str = "",
        refuse: Callable[[str, str], None],
        storage: Callable[[Row, str], Made] | None = None,
        array: Callable[[Made, int, str], int] | None = None,
        bulk: bool = True,
    ) -> None:
        super().__init__(source, start, where)
        self.policy, self.refuse, self.storage, self.array = policy, refuse, storage, array
        self.stack: list[Value] = []
        self.marks: list[int] = []
        self.loose: list[bool] = [
            False
        ]  # frame by frame: does a run of data lie at its bottom?
        self.frame_end = -1
        self.protocol = 0
        self.result: Value = DATA
        smallest = _SMALL if storage is None else _SMALL_TORCH
        self.bulk = bulk and source.size - start > smallest
        self.skip = 0
        self._special = -1
        self._patterns = 0
        self.arrays = 0

    # Stack ---------------------------------------------------------------------------

    def _push(self, value: Value) -> None:
        self.stack.append(value)
        if len(self.stack) > MOST_STACKED:
            self.fail("T-S004", f"more than {MOST_STACKED} values are stacked")

    def _pop(self) -> Value:
        floor = self.marks[-1] if self.marks else 0
        if len(self.stack) > floor:
            return self.stack.pop()
        if not self.loose[-1]:
            self.fail("T-S019", "the stack holds too little")
        return DATA

    def _peek(self) -> Value:
        value = self._pop()
        self.stack.append(value)
        return value

    def _frame(self) -> tuple[list[Value], bool]:
        """Close the frame; return what lies in it, and whether a run of data lies below."""
        if not self.marks:
            self.fail("T-S019", "there is no MARK")
        floor = self.marks.pop()
        items = self.stack[floor:]
        del self.stack[floor:]
        return items, self.loose.pop()

    # Reading -------------------------------------------------------------------------

    def run(self) -> int:
        """Read up to STOP; return the offset behind it.

        Raises:
            Refused: the pickle breaks a rule that leaves nothing to go on with.
        """
        self.memo = Memo(self.source, modern=False)
        head = self.source.read(self.base, 2)
        if head[:1] == b"\x80":
            self.protocol = head[1] if len(head) == 2 else 0
            self.memo.modern = self.protocol >= 4
            if self.protocol > HIGHEST:
                self.fail("T-S019", f"protocol {self.protocol} is not known")
        stepping = self._steps()
        left = MOST_SINGLE
        while True:
            left -= 1
            if not left:
                self.fail("T-S004", f"more than {MOST_SINGLE} opcodes that are no plain data")
            if self.bulk and self.base + self.at >= self.skip and self.marks:
                self._runs()
            self.fill(1)
            byte = self.buffer[self.at]
            self.opcode_at = self.base + self.at
            self.at += 1
            row_ = TABLE.get(byte)
            if row_ is None:
                self.opcode = name_of(byte)
                self.fail("T-S019", "this byte is no opcode")
            self.opcode = row_[0]
            if row_[2] > self.protocol and row_[2] >= 2 and byte != 0x80:
                self.fail(
                    "T-S019", f"an opcode of protocol {row_[2]} in protocol {self.protocol}"
                )
            if byte == 0x2E:
                return self._stop()
            stepping[byte](byte)

    def _stop(self) -> int:
        self.result = self._pop()
        if self.stack or self.marks or self.loose[-1]:
            self.fail("T-S019", "values are left on the stack")
        end = self.base + self.at
        if not self.memo.modern:
            self.memo.settle()  # protocols 1 to 3 write out their places; were they in order?
        if end < self.frame_end:
            self.fail("T-S019", "the frame goes on after the end")
        return end

    def _runs(self) -> None:
        """Read plain data at once where the frame holds nothing else."""
        floor = self.marks[-1]
        above = len(self.stack) - floor
        if above > _ABSORBED or not all(map(is_data, self.stack[floor:])):
            self.skip = self.base + self.at + _LEAST
            return
        if len(self.buffer) - self.at < _AHEAD:
            self.base += self.at
            self.at, self.buffer = 0, self.source.read(self.base + 0, CHUNK)
        if self._special != len(self.memo.special):
            self._special = len(self.memo.special)
            self._patterns += 1
            special = frozenset(self.memo.special)
            gets = plain_gets(special) if self._patterns < _PATTERNS else b""
            self._pattern = run_pattern(self.memo.modern, gets)
        found = self._pattern.match(self.buffer, self.at)
        end = found.end() if found else self.at
        if self.buffer[end : end + 1] == b"\x93":
            end = self._before_name(end)
        if end - self.at < _LEAST:
            self.skip = self.base + max(end, self.at + 1)
            return
        following = self.buffer[end : end + 1]
        doubtful = 0 if following in _FILLING else _FRAMED if following == _FRAME else _TUPLE
        if not self.loose[-1] and end - self.at < doubtful:
            self.skip = self.base + end  # it may be a state or arguments that rules look into
            return
        del self.stack[floor:]
        self.loose[-1] = True
        writes = b"\x94" if self.memo.modern else b"q"
        if self.buffer.find(writes, self.at, end) >= 0 or (
            not self.memo.modern and self.buffer.find(b"r", self.at, end) >= 0
        ):
            self.memo.run(self.base + self.at, self.base + end)
        self.at = end

    def _before_name(self, end: int) -> int:
        """Return where the two texts begin that a STACK_GLOBAL behind the run takes."""
        starts: list[int] = []
        for token in flat_pattern(self.memo.modern).finditer(self.buffer, self.at, end):
            if not token[1]:
                starts.append(token.start())
                del starts[:-2]
        return starts[0] if starts else self.at

    # Opcodes -------------------------------------------------------------------------

    def _steps(self) -> list[Callable[[int], None]]:
        table: list[Callable[[int], None]] = [self._unknown] * 256
        for byte, step in {
            "(": self._mark, "0": self._drop, "1": self._drop_frame, "2": self._dup,
            "F": self._line_number, "I": self._line_number, "L": self._line_number,
            "P": self._persistent_text, "Q": self._persistent, "R": self._reduce,
            "S": self._line_text, "V": self._line_text, "a": self._append, "b": self._build,
            "c": self._global, "d": self._dict, "}": self._empty, "e": self._appends,
            "g": self._get, "h": self._get, "j": self._get, "i": self._inst, "l": self._list,
            "]": self._empty, "o": self._obj, "p": self._put, "q": self._put, "r": self._put,
            "s": self._set_item, "t": self._tuple, ")": self._empty_tuple, "u": self._set_items,
            "\x80": self._proto, "\x81": self._new, "\x82": self._extension,
            "\x83": self._extension, "\x84": self._extension, "\x85": self._row,
            "\x86": self._row, "\x87": self._row, "\x8f": self._empty, "\x90": self._add_items,
            "\x91": self._frozen, "\x92": self._new_ex, "\x93": self._stack_global,
            "\x94": self._memoize, "\x95": self._new_frame, "\x97": self._buffer,
            "\x98": self._readonly,
        }.items():  # fmt: skip
            table[ord(byte)] = step
        for code in _TEXT:
            table[code] = self._text
        for code in _BYTES:
            table[code] = self._bytes
        for code in b"JKMNG\x88\x89\x8a\x8b":
            table[code] = self._number
        return table

    def _unknown(self, _: int) -> None:
        self.fail("T-S019", "this opcode is not known")

    def _number(self, byte: int) -> None:
        kind = KINDS[byte]
        if byte in (0x4E, 0x88, 0x89):
            self._push(None if byte == 0x4E else byte == 0x88)
        elif byte == 0x47:
            self.take(8)
            self._push(DATA)
        elif kind > Argument.COUNTED1 - 1:
            data = self.counted(kind - 10)
            long = data is None or len(data) > 8
            self._push(
                DATA if long or data is None else int.from_bytes(data, "little", signed=True)
            )
        else:
            self._push(int.from_bytes(self.take(kind), "little", signed=byte == 0x4A))

    def _text(self, byte: int) -> None:
        data = self.counted(KINDS[byte] - 10)
        if data is None:
            self._push(DATA)
            return
        self.hidden(data)
        try:
            self._push(data.decode("utf-8", "surrogatepass"))
        except UnicodeDecodeError:
            if byte not in (0x54, 0x55):
                self.fail("T-S019", "a text that is not UTF-8")
            self._push(DATA)

    def _bytes(self, byte: int) -> None:
        data = self.counted(KINDS[byte] - 10)
        if data is not None:
            self.hidden(data)
        self._push(DATA if data is None or len(data) > 16 else data)

    def _line_number(self, byte: int) -> None:
        data = self.line()
        text = data.rstrip(b"L") if byte == 0x4C else data
        try:
            if byte == 0x46:
                float(text)
                self._push(DATA)
            elif text in (b"00", b"01") and byte == 0x49:
                self._push(text == b"01")
            else:
                self._push(int(text) if len(text) < 20 else self._long(text))
        except ValueError:
            self.fail("T-S019", "no number")

    def _long(self, text: bytes) -> Opaque:
        if not text.lstrip(b"-").isdigit():
            self.fail("T-S019", "no number")
        return DATA

    def _line_text(self, byte: int) -> None:
        data = self.line()
        if byte == 0x53:
            if len(data) < 2 or data[:1] != data[-1:] or data[:1] not in (b"'", b'"'):
                self.fail("T-S019", "a text without quotation marks")
            data = data[1:-1]
        elif not _unescapes(data):
            self.fail("T-S019", "a text with a broken escape")
        self.hidden(data.replace(b"\\n", b"\n"))
        plain = len(data) <= LONGEST_TEXT and b"\\" not in data and data.isascii()
        self._push(data.decode("ascii") if plain else DATA)

    def _mark(self, _: int) -> None:
        if len(self.marks) >= MOST_MARKS:
            self.fail("T-S004", f"more than {MOST_MARKS} frames lie within each other")
        self.marks.append(len(self.stack))
        self.loose.append(False)

    def _drop(self, _: int) -> None:
        floor = self.marks[-1] if self.marks else 0
        if self.marks and len(self.stack) == floor and not self.loose[-1]:
            self.marks.pop()  # POP takes the mark where nothing lies above it
            self.loose.pop()
            return
        self._pop()

    def _drop_frame(self, _: int) -> None:
        self._frame()

    def _dup(self, _: int) -> None:
        self.fail("T-S013", "no pickler writes it")

    def _empty(self, byte: int) -> None:
        self._push(Box({0x7D: "dict", 0x5D: "list"}.get(byte, "set")))

    def _empty_tuple(self, _: int) -> None:
        self._push(Row((), False, 1))

    def _row(self, byte: int) -> None:
        items = [self._pop() for _ in range(byte - 0x84)]
        self._push(row(tuple(reversed(items))))

    def _tuple(self, _: int) -> None:
        items, loose = self._frame()
        if loose:
            self._push(DATA if all(map(is_data, items)) else MIXED)
        else:
            self._push(row(tuple(items)))

    def _list(self, _: int) -> None:
        self._boxed("list")

    def _dict(self, _: int) -> None:
        self._boxed("dict")

    def _boxed(self, kind: str) -> None:
        items, loose = self._frame()
        box = Box(kind)
        self._push(box)
        self._pour(items, loose)

    def _frozen(self, _: int) -> None:
        items, _ = self._frame()
        self._push(MIXED if any(map(is_mixed, items)) else DATA)

    # Filling -------------------------------------------------------------------------

    def _append(self, _: int) -> None:
        self._pour([self._pop()], False)

    def _appends(self, _: int) -> None:
        self._pour(*self._frame())

    def _set_item(self, _: int) -> None:
        value = self._pop()
        self._pour([self._pop(), value], False)

    def _set_items(self, _: int) -> None:
        items, loose = self._frame()
        if not loose and len(items) % 2:
            self.fail("T-S019", "a key without a value")
        self._pour(items, loose)

    def _add_items(self, _: int) -> None:
        self._pour(*self._frame())

    def _pour(self, items: list[Value], loose: bool) -> None:
        """Put the items into what lies on top of the stack."""
        target = self._peek()
        mixed = any(map(is_mixed, items))
        if (
            target is DATA
            or target is MIXED
            or isinstance(target, Row | str | bytes | int | float)
        ):
            if mixed or not isinstance(target, Opaque | Place):
                self.fail("T-S013", "something is put into what is finished or no container")
            return
        if isinstance(target, Made):
            if target.rule == "banned":
                return
            if target.name == "collections.deque":
                target.mixed = target.mixed or mixed
            elif target.box is None:
                self.fail("T-S011", f"something is put into {target.name}")
            target.mixed = target.mixed or mixed
            if mixed:
                self.memo.spoil(target)
            if target.box is not None:
                _fill_box(target.box, items, loose)
            return
        if not isinstance(target, Box):
            self.fail("T-S013", "something is put into a callable")
        if mixed and not target.mixed:
            target.mixed = True
            self.memo.spoil(target)
        _fill_box(target, items, loose)

    # Memo ----------------------------------------------------------------------------

    def _index(self, byte: int) -> int:
        kind = KINDS[byte]
        if kind != Argument.LINE:
            return int.from_bytes(self.take(kind), "little")
        data = self.line()
        if not data.isdigit() or len(data) > 10:
            self.fail("T-S019", "no place in the memo")
        return int(data)

    def _get(self, byte: int) -> None:
        self._push(self.memo.get(self._index(byte), self.here()))

    def _put(self, byte: int) -> None:
        if self.memo.modern:
            self.fail("T-S013", "protocols 4 and 5 write the memo with MEMOIZE")
        place = self._index(byte)
        self.memo.put(place, self._peek(), self.here())

    def _memoize(self, _: int) -> None:
        self.memo.append(self._peek())

    # Names and calls -----------------------------------------------------------------

    def _named(self, module: str, name: str) -> Global:
        full = f"{module}.{name}"
        known = self.policy.globals.get(full)
        if known is None:
            self.refuse("T-S010", f"{self.here()}: {full!r:.300} is not on the allow-list")
            return Global(full, "banned")
        return known

    def _two_lines(self) -> Global:
        try:
            module, name = self.line().decode("utf-8"), self.line().decode("utf-8")
        except UnicodeDecodeError:
            self.fail("T-S012", "a name that is not UTF-8")
        return self._named(module, name)

    def _global(self, _: int) -> None:
        self._push(self._two_lines())

    def _stack_global(self, _: int) -> None:
        name, module = self._constant(self._pop()), self._constant(self._pop())
        if not isinstance(name, str) or not isinstance(module, str):
            self.fail("T-S012", "the name is not a constant text")
        self._push(self._named(module, name))

    def _constant(self, value: Value) -> Value:
        return self.memo.text(value) if isinstance(value, Place) else value

    def _reduce(self, _: int) -> None:
        arguments = self._pop()
        self._push(call(self._pop(), arguments, self.here()))

    def _new(self, _: int) -> None:
        arguments = self._pop()
        callee = self._pop()
        if isinstance(callee, Global) and callee.rule in {"storage type", "type"}:
            self.fail("T-S011", f"{callee.name} may be named but not called")
        self._push(call(callee, arguments, self.here()))

    def _new_ex(self, _: int) -> None:
        named, arguments = self._pop(), self._pop()
        callee = self._pop()
        if is_mixed(named):
            self.fail("T-S011", "a callable among the named arguments")
        if isinstance(callee, Global) and callee.rule not in {"estimator", "data", "banned"}:
            self.fail("T-S011", f"{callee.name} is called with named arguments")
        self._push(call(callee, arguments, self.here()))

    def _inst(self, _: int) -> None:
        callee = self._two_lines()
        items, loose = self._frame()
        arguments = DATA if loose else row(tuple(items))
        if loose and not all(map(is_data, items)):
            arguments = MIXED
        self._push(call(callee, arguments, self.here()))

    def _obj(self, _: int) -> None:
        items, loose = self._frame()
        if loose or not items:
            self.fail("T-S012", "what is called is no constant name")
        self._push(call(items[0], row(tuple(items[1:])), self.here()))

    def _build(self, _: int) -> None:
        state = self._pop()
        target = self._pop()
        made = build(target, state, self.here())
        self._push(made)
        if isinstance(made, Made) and made.rule == "joblib":
            if self.array is None:
                self.fail("T-S011", "joblib's arrays outside a joblib file")
            self.stack.pop()
            self.go(self.array(made, self.base + self.at, self.here()))
            self.arrays += 1
            self._push(DATA)

    def _persistent(self, _: int) -> None:
        identity = self._pop()
        if self.storage is None or not isinstance(identity, Row):
            self.fail("T-S015", "an identity that is not torch's storage")
        self._push(self.storage(identity, self.here()))

    def _persistent_text(self, _: int) -> None:
        self.line()
        self.fail("T-S015", "an identity that is not torch's storage")

    def _extension(self, _: int) -> None:
        self.fail("T-S014", "the name comes from a registry outside the file")

    # Framing -------------------------------------------------------------------------

    def _proto(self, _: int) -> None:
        version = self.take(1)[0]
        if (self.opcode_at and self.stack) or version != self.protocol:
            self.fail("T-S019", "a second protocol")

    def _new_frame(self, _: int) -> None:
        size = int.from_bytes(self.take(8), "little")
        offset = self.base + self.at
        if size > self.source.size - offset:
            self.fail(
                "T-S002", f"a frame of {size} bytes, {self.source.size - offset} are left"
            )
        if offset - 9 < self.frame_end:
            self.fail("T-S019", "a frame within a frame")
        self.frame_end = offset + size

    def _buffer(self, _: int) -> None:
        self.fail("T-S015", "a buffer that lies outside the file")

    def _readonly(self, _: int) -> None:
        self._push(self._pop())


def _fill_box(box: Box, items: list[Value], loose: bool) -> None:
    box.count += len(items) + loose
    if box.items is None:
        return
    if loose or len(box.items) + len(items) > (_RECORDED if box.kind == "dict" else WIDEST):
        box.items = None
        return
    box.items.extend(items)


def _unescapes(data: bytes) -> bool:
    try:
        data.decode("raw-unicode-escape")
    except UnicodeDecodeError:
        return False
    return True
