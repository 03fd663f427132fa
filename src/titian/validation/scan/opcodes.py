"""The pickle machine's opcodes: name, argument, protocol that brought it.

Source: the opcode table of PEP 307, PEP 3154 and PEP 574.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Argument(IntEnum):
    """How an opcode's argument is written."""

    NONE = 0
    FIXED1 = 1  # the value is the width in bytes
    FIXED2 = 2
    FIXED4 = 4
    FIXED8 = 8
    COUNTED1 = 11  # a length of so many bytes, then as many bytes
    COUNTED4 = 14
    COUNTED8 = 18
    LINE = 20
    TWO_LINES = 21


_N, _1, _2, _4, _8 = (
    Argument.NONE,
    Argument.FIXED1,
    Argument.FIXED2,
    Argument.FIXED4,
    Argument.FIXED8,
)
_C1, _C4, _C8 = Argument.COUNTED1, Argument.COUNTED4, Argument.COUNTED8
_L, _LL = Argument.LINE, Argument.TWO_LINES

TABLE: Final[dict[int, tuple[str, Argument, int]]] = {
    ord(code): row
    for code, row in {
        "(": ("MARK", _N, 0),
        ".": ("STOP", _N, 0),
        "0": ("POP", _N, 0),
        "1": ("POP_MARK", _N, 1),
        "2": ("DUP", _N, 0),
        "F": ("FLOAT", _L, 0),
        "I": ("INT", _L, 0),
        "J": ("BININT", _4, 1),
        "K": ("BININT1", _1, 1),
        "L": ("LONG", _L, 0),
        "M": ("BININT2", _2, 1),
        "N": ("NONE", _N, 0),
        "P": ("PERSID", _L, 0),
        "Q": ("BINPERSID", _N, 1),
        "R": ("REDUCE", _N, 0),
        "S": ("STRING", _L, 0),
        "T": ("BINSTRING", _C4, 1),
        "U": ("SHORT_BINSTRING", _C1, 1),
        "V": ("UNICODE", _L, 0),
        "X": ("BINUNICODE", _C4, 1),
        "a": ("APPEND", _N, 0),
        "b": ("BUILD", _N, 0),
        "c": ("GLOBAL", _LL, 0),
        "d": ("DICT", _N, 0),
        "}": ("EMPTY_DICT", _N, 1),
        "e": ("APPENDS", _N, 1),
        "g": ("GET", _L, 0),
        "h": ("BINGET", _1, 1),
        "i": ("INST", _LL, 0),
        "j": ("LONG_BINGET", _4, 1),
        "l": ("LIST", _N, 0),
        "]": ("EMPTY_LIST", _N, 1),
        "o": ("OBJ", _N, 1),
        "p": ("PUT", _L, 0),
        "q": ("BINPUT", _1, 1),
        "r": ("LONG_BINPUT", _4, 1),
        "s": ("SETITEM", _N, 0),
        "t": ("TUPLE", _N, 0),
        ")": ("EMPTY_TUPLE", _N, 1),
        "u": ("SETITEMS", _N, 1),
        "G": ("BINFLOAT", _8, 1),
        "B": ("BINBYTES", _C4, 3),
        "C": ("SHORT_BINBYTES", _C1, 3),
        "\x80": ("PROTO", _1, 2),
        "\x81": ("NEWOBJ", _N, 2),
        "\x82": ("EXT1", _1, 2),
        "\x83": ("EXT2", _2, 2),
        "\x84": ("EXT4", _4, 2),
        "\x85": ("TUPLE1", _N, 2),
        "\x86": ("TUPLE2", _N, 2),
        "\x87": ("TUPLE3", _N, 2),
        "\x88": ("NEWTRUE", _N, 2),
        "\x89": ("NEWFALSE", _N, 2),
        "\x8a": ("LONG1", _C1, 2),
        "\x8b": ("LONG4", _C4, 2),
        "\x8c": ("SHORT_BINUNICODE", _C1, 4),
        "\x8d": ("BINUNICODE8", _C8, 4),
        "\x8e": ("BINBYTES8", _C8, 4),
        "\x8f": ("EMPTY_SET", _N, 4),
        "\x90": ("ADDITEMS", _N, 4),
        "\x91": ("FROZENSET", _N, 4),
        "\x92": ("NEWOBJ_EX", _N, 4),
        "\x93": ("STACK_GLOBAL", _N, 4),
        "\x94": ("MEMOIZE", _N, 4),
        "\x95": ("FRAME", _8, 4),
        "\x96": ("BYTEARRAY8", _C8, 5),
        "\x97": ("NEXT_BUFFER", _N, 5),
        "\x98": ("READONLY_BUFFER", _N, 5),
    }.items()
}

HIGHEST: Final = 5
"""The last protocol."""

KINDS: Final = tuple(TABLE[byte][1].value if byte in TABLE else -1 for byte in range(256))
"""For each byte, how its argument is written; -1 where it is no opcode."""


def name_of(byte: int) -> str:
    """Return the opcode's name, or its byte where there is none."""
    row = TABLE.get(byte)
    return row[0] if row else f"0x{byte:02x}"
