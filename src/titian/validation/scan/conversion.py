"""A safetensors copy of a state dict, with a statement of what was carried over."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any, Final

from titian.errors import EnvironmentFault, InputError, Problem
from titian.validation.scan.pickle_values import Box, Made, Row, Value
from titian.validation.scan.policy import Policy
from titian.validation.scan.reason import Report
from titian.validation.scan.safetensors import BITS
from titian.validation.scan.source import CHUNK
from titian.validation.scan.torch_files import StateDict

_ALIGNED: Final = 8  # bytes; the header is padded to it, as the library does
_MOST: Final = 100_000  # tensors


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """A tensor by name: a view on a storage."""

    name: str
    dtype: str
    key: str
    itemsize: int
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def size(self) -> int:
        """Return the bytes of the tensor when it is written out."""
        return prod(self.shape) * self.itemsize

    @property
    def contiguous(self) -> bool:
        """Return whether the elements lie in the storage as they are written."""
        step = 1
        for n, stride in zip(reversed(self.shape), reversed(self.stride), strict=True):
            if n != 1 and stride != step:
                return False
            step *= n
        return True


def convert(held: StateDict, report: Report, policy: Policy, folder: Path) -> Path | None:
    """Write the copy and its statement; return the copy's path, or None without tensors.

    Raises:
        InputError: ``T-S103``: a copy is there already.
    """
    tensors, left = _tensors(held)
    if not tensors:
        return None
    stem = Path(report.path).stem
    copy, statement = folder / f"{stem}.safetensors", folder / f"{stem}.statement.json"
    for path in (copy, statement):
        if path.exists() or path.is_symlink():
            raise InputError(
                Problem(
                    code="T-S103",
                    message=f"{path} exists already; nothing is written over.",
                    remedy="Name an empty folder.",
                )
            )
    folder.mkdir(parents=True, exist_ok=True)
    digest = _write(copy, tensors, held)
    document = {
        "source": {"name": Path(report.path).name, "sha256": report.sha256},
        "copy": {"name": copy.name, "sha256": digest},
        "policy": policy.version,
        "tensors": [{"name": t.name, "dtype": t.dtype, "shape": t.shape} for t in tensors],
        "left_out": left,
    }
    statement.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return copy


def _tensors(held: StateDict) -> tuple[list[Tensor], list[dict[str, str]]]:
    """Return the tensors by dotted name, and what is no tensor or cannot be copied."""
    found: list[Tensor] = []
    left: list[dict[str, str]] = []
    names: set[str] = set()
    todo: list[tuple[str, Value]] = [("", held.value)]
    while todo:
        name, value = todo.pop()
        if isinstance(value, Made) and value.rule == "tensor":
            tensor = _tensor(name or "tensor", value.facts)
            if not held.little or tensor.dtype not in BITS or tensor.name in names:
                left.append({"name": name, "what": f"a tensor of type {tensor.dtype or '?'}"})
            elif len(found) >= _MOST:
                left.append({"name": name, "what": "one tensor too many"})
            else:
                names.add(tensor.name)
                found.append(tensor)
            continue
        box = value.box if isinstance(value, Made) else value
        if isinstance(box, Box) and box.items is not None and box.kind in {"dict", "list"}:
            entries = _entries(box)
            todo.extend(
                (f"{name}.{key}" if name else key, item) for key, item in reversed(entries)
            )
            continue
        left.append({"name": name, "what": _what(value)})
    return found, left


def _entries(box: Box) -> list[tuple[str, Value]]:
    items = box.items or []
    if box.kind == "list":
        return [(str(i), item) for i, item in enumerate(items)]
    pairs = zip(items[::2], items[1::2], strict=False)
    return [(str(key) if isinstance(key, str | int) else "?", item) for key, item in pairs]


def _what(value: Value) -> str:
    if isinstance(value, Box):
        return f"a {value.kind} that was read without its entries"
    return "a tuple" if isinstance(value, Row) else "no tensor"


def _tensor(name: str, facts: dict[str, Value]) -> Tensor:
    def counts(value: Value) -> tuple[int, ...]:
        items = value.items if isinstance(value, Row) else ()
        return tuple(i for i in items if isinstance(i, int))

    def whole(value: Value) -> int:
        return value if isinstance(value, int) else 0

    return Tensor(
        name=name,
        dtype=str(facts["dtype"]),
        key=str(facts["key"]),
        itemsize=whole(facts["itemsize"]),
        offset=whole(facts["offset"]),
        shape=counts(facts["shape"]),
        stride=counts(facts["stride"]),
    )


def _write(path: Path, tensors: list[Tensor], held: StateDict) -> str:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for tensor in tensors:
        header[tensor.name] = {
            "dtype": tensor.dtype,
            "shape": tensor.shape,
            "data_offsets": [at, at + tensor.size],
        }
        at += tensor.size
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % _ALIGNED)
    aside = path.with_name(f".{path.name}.part")
    hashing = hashlib.sha256()
    try:
        with aside.open("xb") as file:
            for data in _bytes(text, tensors, held):
                hashing.update(data)
                file.write(data)
        aside.rename(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise EnvironmentFault.of(
            "T-S103", f"{path} cannot be written: {error.strerror}.", "Name another folder."
        ) from None
    return hashing.hexdigest()


def _bytes(text: bytes, tensors: list[Tensor], held: StateDict) -> Iterator[bytes]:
    yield len(text).to_bytes(8, "little") + text
    for tensor in tensors:
        if not tensor.size:
            continue
        source = held.storages[tensor.key]
        start = tensor.offset * tensor.itemsize
        if tensor.contiguous:
            yield from source.part(start, tensor.size).chunks()
        else:
            yield from _gathered(replace(tensor), held)


def _gathered(tensor: Tensor, held: StateDict) -> Iterator[bytes]:
    """Yield the elements of a strided view in order, a stretch at a time."""
    import numpy as np

    source = held.storages[tensor.key]
    shape = np.asarray(tensor.shape, dtype=np.int64)
    stride = np.asarray(tensor.stride, dtype=np.int64)
    total = int(prod(tensor.shape))
    step = CHUNK // 8
    data = np.frombuffer(source.read(0, source.size), dtype=f"V{tensor.itemsize}")
    for first in range(0, total, step):
        index = np.arange(first, min(first + step, total), dtype=np.int64)
        place = np.full(len(index), tensor.offset, dtype=np.int64)
        for n, s in zip(shape[::-1], stride[::-1], strict=True):
            place += (index % n) * s
            index //= n
        yield data[place].tobytes()
