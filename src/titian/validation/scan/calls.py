"""What an allowed name may be called with, and what may be given to the result."""

from __future__ import annotations

import re
from typing import Final

from titian.validation.scan.pickle_values import (
    DATA,
    MIXED,
    Box,
    Global,
    Made,
    Row,
    Value,
    is_mixed,
    is_opaque,
)
from titian.validation.scan.reason import Refused

_TYPE: Final = re.compile(
    r"[<>|=]?(?:[biufcV?](\d{0,3})|[SUa](\d{1,9})|V(\d{1,9})|[mM]8(?:\[.{1,12}\])?)"
)
_CODES: Final = {
    "?": 1,
    "b": 1,
    "B": 1,
    "h": 2,
    "H": 2,
    "i": 4,
    "I": 4,
    "l": 8,
    "L": 8,
    "q": 8,
    "Q": 8,
    "e": 2,
    "f": 4,
    "d": 8,
    "g": 16,
    "F": 8,
    "D": 16,
    "G": 32,
}
_FACTORIES: Final = {"list", "dict", "set", "int", "float", "str", "bool", "tuple"}
_ENCODINGS: Final = {"latin1", "latin-1", "ascii", "utf-8", "utf8"}
# PyTorch's own names of the types that tensors of a later date carry beside the storage.
_DTYPES: Final = {
    "torch.uint16": ("U16", 2), "torch.uint32": ("U32", 4), "torch.uint64": ("U64", 8),
    "torch.float8_e4m3fn": ("F8_E4M3", 1), "torch.float8_e5m2": ("F8_E5M2", 1),
    "torch.float8_e4m3fnuz": ("", 1), "torch.float8_e5m2fnuz": ("", 1),
    "torch.complex32": ("", 4),
    "torch.bool": ("BOOL", 1), "torch.uint8": ("U8", 1), "torch.int8": ("I8", 1),
    "torch.int16": ("I16", 2), "torch.int32": ("I32", 4), "torch.int64": ("I64", 8),
    "torch.float16": ("F16", 2), "torch.bfloat16": ("BF16", 2), "torch.float32": ("F32", 4),
    "torch.float64": ("F64", 8), "torch.complex64": ("C64", 8),
    "torch.complex128": ("C128", 16),
}  # fmt: skip


def itemsize_of(text: str) -> int | None:
    """Return the bytes of one element of a plain numpy type; 0 for objects, None if unknown."""
    bare = text.lstrip("<>|=")
    if bare in {"O", "O8", "O4"}:
        return 0
    if bare in _CODES:
        return _CODES[bare]
    if not _TYPE.fullmatch(text):
        return None
    if bare[0] in "mM":
        return 8
    digits = int(re.sub(r"\D", "", bare[1:]) or 0)
    if bare[0] == "U":
        return digits * 4
    if bare[0] in "biufc" and digits not in {1, 2, 4, 8, 10, 12, 16, 20, 24, 32}:
        return None
    return digits


def call(callee: Value, arguments: Value, where: str) -> Value:
    """Return what a call gives.

    Args:
        callee: what is called.
        arguments: the tuple of its arguments.
        where: the place, for reasons.

    Raises:
        Refused: the callee is no allowed callable, or not with these arguments.
    """
    if not isinstance(callee, Global):
        raise Refused("T-S011", f"{where}: what is called is no constant name")
    if callee.rule == "banned":
        return Made(callee.name, "banned", "any", mixed=True)
    items = arguments.items if isinstance(arguments, Row) else None
    match callee.rule:
        case "data" | "estimator":
            if is_mixed(arguments) or not _known(items, arguments):
                raise _not_so(where, callee, "with a callable among its arguments")
            return Made(callee.name, callee.rule, callee.state)
        case "mapping":
            factory = items[0] if items else None
            plain = (
                isinstance(factory, Global)
                and factory.name.rpartition(".")[2] in _FACTORIES
                and factory.name.startswith(("builtins.", "__builtin__."))
                and not any(map(is_mixed, items[1:] if items else ()))
            )
            if is_mixed(arguments) and not plain:
                raise _not_so(where, callee, "with a callable among its arguments")
            return Made(callee.name, "mapping", callee.state, box=Box("dict"))
        case "new array":
            if not (
                items
                and len(items) == 3
                and isinstance(items[0], Global)
                and items[0].name == "numpy.ndarray"
                and isinstance(items[1], Row)
                and items[1].items == (0,)
            ):
                raise _not_so(where, callee, "with other arguments than (ndarray, (0,), b'b')")
            return Made("numpy.ndarray", "array", "array")
        case "scalar":
            if not items or len(items) > 2 or _dtype(items[0]) is None or is_mixed(arguments):
                raise _not_so(where, callee, "without a plain type")
            if _dtype(items[0]) == 0:
                raise _not_so(where, callee, "for an object")
            return DATA
        case "buffer":
            if not items or len(items) != 4 or not _dtype(items[1]) or is_mixed(arguments):
                raise _not_so(where, callee, "without a plain type")
            return DATA
        case "dtype":
            return _new_dtype(callee, items, where)
        case "codec":
            if (
                not items
                or len(items) != 2
                or items[1] not in _ENCODINGS
                or is_mixed(arguments)
            ):
                raise _not_so(where, callee, "with another codec than Latin-1, ASCII or UTF-8")
            return DATA
        case "bytes":
            good = items is not None and len(items) <= 2 and not is_mixed(arguments)
            good = good and not (items and isinstance(items[0], int | float))
            if not good or (items and len(items) == 2 and items[1] not in _ENCODINGS):
                raise _not_so(where, callee, "with arguments that are no bytes")
            return DATA
        case "reconstructor":
            return _reconstructed(callee, items, where)
        case "tensor":
            return _tensor(callee, items, where)
        case "parameter":
            if not items or not (isinstance(items[0], Made) and items[0].rule == "tensor"):
                raise _not_so(where, callee, "without a tensor")
            if any(map(_unwanted, items[1:])):
                raise _not_so(where, callee, "with a callable among its arguments")
            return items[0]
        case "joblib":
            if items:
                raise _not_so(where, callee, "with arguments")
            return Made(callee.name, "joblib", "joblib")
        case _:
            raise Refused("T-S011", f"{where}: {callee.name} may be named but not called")


def _not_so(where: str, callee: Global, how: str) -> Refused:
    return Refused("T-S011", f"{where}: {callee.name} is called {how}")


def _known(items: tuple[Value, ...] | None, arguments: Value) -> bool:
    return items is not None or is_opaque(arguments)


def _unwanted(value: Value) -> bool:
    """Return whether a hooks argument is anything but empty or plain."""
    if isinstance(value, Made) and value.rule == "mapping":
        return value.mixed or bool(value.box and value.box.count)
    return is_mixed(value) or isinstance(value, Global | Box)


def _dtype(value: Value) -> int | None:
    """Return the bytes of one element; 0 for objects; None where it is no known type."""
    if isinstance(value, Made) and value.rule == "dtype":
        size = value.facts.get("itemsize")
        return size if isinstance(size, int) else None
    return None


def dtype_itemsize(value: Value) -> int | None:
    """Return the bytes of one element of a numpy type; 0 for objects, None if unknown."""
    return _dtype(value)


def _new_dtype(callee: Global, items: tuple[Value, ...] | None, where: str) -> Made:
    text = items[0] if items and len(items) <= 3 else None
    size = itemsize_of(text) if isinstance(text, str) else None
    if size is None or any(not isinstance(i, bool | int) for i in (items or ())[1:]):
        raise _not_so(where, callee, f"for the type {text!r:.40}")
    return Made(
        "numpy.dtype", "dtype", "dtype", mixed=False, facts={"itemsize": size, "text": text}
    )


def _reconstructed(callee: Global, items: tuple[Value, ...] | None, where: str) -> Value:
    if items and len(items) == 3 and isinstance(items[0], Global):
        if items[0].rule == "banned":
            return Made(items[0].name, "banned", "any", mixed=True)
        base = items[1]
        good = isinstance(base, Global) and base.name.endswith("builtin__.object")
        good = good or (isinstance(base, Global) and base.name == "builtins.object")
        if good and items[2] is None and items[0].rule in {"estimator", "data", "joblib"}:
            rule = items[0].rule
            state = "joblib" if rule == "joblib" else items[0].state
            return Made(items[0].name, rule, state)
    raise _not_so(where, callee, "for something else than an allowed class")


def _whole(value: Value) -> tuple[int, ...] | None:
    """Return a tuple of counts, or None."""
    if isinstance(value, Made) and value.name == "torch.Size":
        value = value.facts.get("shape")
    if not isinstance(value, Row):
        return None
    found = tuple(i for i in value.items if isinstance(i, int) and not isinstance(i, bool))
    return found if len(found) == len(value.items) and all(i >= 0 for i in found) else None


def _tensor(callee: Global, items: tuple[Value, ...] | None, where: str) -> Made:
    if not items or not 4 <= len(items) <= 8:
        raise _not_so(where, callee, "with an unknown set of arguments")
    storage, offset, shape, stride = items[0], items[1], _whole(items[2]), _whole(items[3])
    if not (isinstance(storage, Made) and storage.rule == "storage"):
        raise _not_so(where, callee, "without a storage of the file")
    dtype, each = storage.facts["dtype"], storage.facts["itemsize"]
    rest = items[4:]
    if callee.name.endswith("_v3") and rest and isinstance(rest[-1], Global):
        dtype, each = _DTYPES.get(rest[-1].name, ("", 0))
        rest = rest[:-1]
    if (
        shape is None
        or stride is None
        or len(shape) != len(stride)
        or not isinstance(offset, int)
    ):
        raise _not_so(where, callee, "with a shape or stride that is no row of counts")
    if any(map(_unwanted, rest)) or any(isinstance(i, str) for i in rest):
        raise _not_so(where, callee, "with hooks or metadata")
    held = storage.facts["bytes"]
    if not isinstance(held, int) or not isinstance(each, int) or each < 1 or offset < 0:
        raise Refused("T-S032", f"{where}: the element type of a tensor is not known")
    last = offset + sum((n - 1) * s for n, s in zip(shape, stride, strict=True))
    if all(shape) and (last + 1) * each > held:
        raise Refused(
            "T-S032",
            f"{where}: a tensor of shape {list(shape)} reaches to byte {(last + 1) * each} "
            f"of a storage of {held} bytes",
        )
    return Made(
        callee.name,
        "tensor",
        facts={
            "key": storage.facts["key"], "dtype": dtype, "itemsize": each, "offset": offset,
            "shape": Row(tuple(shape), False, 1), "stride": Row(tuple(stride), False, 1),
        },
    )  # fmt: skip


def build(target: Value, state: Value, where: str) -> Value:
    """Return the object once BUILD gave it its state.

    Raises:
        Refused: the target takes no state, or not this one.
    """
    if not isinstance(target, Made):
        raise Refused("T-S016", f"{where}: what is given a state is not a fresh, known object")
    if target.rule == "banned":
        return target
    if target.closed:
        raise Refused(
            "T-S016", f"{where}: {target.name} is given a state twice, or out of the memo"
        )
    target.closed = True
    match target.state:
        case "dict" | "any":
            mapping = is_opaque(state) or (isinstance(state, Box) and state.kind == "dict")
            slots = isinstance(state, Row) and len(state.items) == 2 and state.items[0] is None
            free = target.state == "any" or target.name.startswith("datetime.")
            if is_mixed(state) or not (mapping or slots or free):
                raise Refused("T-S016", f"{where}: the state of {target.name} holds a callable")
            if isinstance(state, Box) and _dunder(state):
                raise Refused(
                    "T-S016", f"{where}: the state of {target.name} sets {_dunder(state)}"
                )
            return target
        case "array":
            _array_state(state, where)
            return target
        case "dtype":
            _dtype_state(target, state, where)
            return target
        case "joblib":
            if not isinstance(state, Box) or state.items is None:
                raise Refused("T-S016", f"{where}: joblib's array has no readable description")
            target.box = state
            return target
        case _:
            raise Refused("T-S016", f"{where}: {target.name} takes no state")


def _dunder(state: Box) -> str | None:
    for key in (state.items or [])[::2]:
        if isinstance(key, str) and key.startswith("__") and key.endswith("__"):
            return key
    return None


def _array_state(state: Value, where: str) -> None:
    items = state.items if isinstance(state, Row) else ()
    good = len(items) == 5 and _whole(items[1]) is not None and _dtype(items[2]) is not None
    if not good:
        raise Refused(
            "T-S016", f"{where}: the state of numpy.ndarray has no shape and plain type"
        )
    listed = isinstance(items[4], Box) and items[4].kind == "list"
    if is_mixed(items[4]) or ((_dtype(items[2]) == 0) != listed and not is_opaque(items[4])):
        raise Refused("T-S016", f"{where}: the contents of numpy.ndarray do not fit its type")


def _dtype_state(target: Made, state: Value, where: str) -> None:
    """Check the type's state: crafted flags or offsets would reach into foreign memory."""
    items = state.items if isinstance(state, Row) else ()
    size = target.facts["itemsize"]
    wrong = Refused("T-S016", f"{where}: the state of numpy.dtype is none that numpy writes")
    if (
        not 8 <= len(items) <= 9
        or items[0] not in {3, 4}
        or items[1] not in {"<", ">", "|", "="}
    ):
        raise wrong
    flags = items[7]
    if not isinstance(flags, int) or not isinstance(size, int):
        raise wrong
    is_object = size == 0 and str(target.facts["text"]).lstrip("<>|=").startswith("O")
    if bool(flags & 1) != is_object:  # NPY_ITEM_REFCOUNT
        raise wrong
    text = str(target.facts["text"]).lstrip("<>|=")
    if items[3] is None and items[4] is None:
        if items[2] is not None:
            raise wrong
        if text[0] not in "SUVa" and (items[5], items[6]) != (-1, -1):
            raise wrong
        if text[0] in "SUVa" and items[5] not in {-1, size}:
            raise wrong
        return
    _fields(items, size, wrong)


def _fields(items: tuple[Value, ...], size: int, wrong: Refused) -> None:
    names, fields = items[3], items[4]
    if items[2] is not None or not isinstance(names, Row) or not isinstance(fields, Box):
        raise wrong
    if fields.items is None or items[5] != size or len(fields.items) != 2 * len(names.items):
        raise wrong
    for key, field in zip(fields.items[::2], fields.items[1::2], strict=True):
        inner = field.items if isinstance(field, Row) else ()
        if key not in names.items or len(inner) < 2:
            raise wrong
        each, offset = _dtype(inner[0]), inner[1]
        # A field of objects would need the flag that is refused above.
        if not each or not isinstance(offset, int) or offset < 0 or offset + each > size:
            raise wrong


__all__ = ["MIXED", "build", "call", "dtype_itemsize", "itemsize_of"]
