"""A file that holds one pickle: Python's, or joblib's with arrays between the opcodes.

Source: joblib writes the bytes of an array into the stream behind the BUILD of its wrapper,
padded to ``numpy_array_alignment_bytes`` (joblib, numpy_pickle.py).
"""

from __future__ import annotations

from math import prod

from titian.validation.scan.calls import dtype_itemsize
from titian.validation.scan.examination import Examination, Part
from titian.validation.scan.pickle_machine import Machine
from titian.validation.scan.pickle_values import Global, Made, Row, Value
from titian.validation.scan.reason import Refused
from titian.validation.scan.source import Source


def examine(part: Part, exam: Examination) -> None:
    """Read the pickle; it must be the whole of the file."""
    arrays = Arrays(part, exam)
    machine = Machine(
        part.source,
        0,
        exam.policy,
        where=part.prefix,
        refuse=exam.refuse,
        array=arrays.skip,
    )
    end = machine.run()
    exam.name_format("joblib" if machine.arrays else "pickle", part)
    if end != part.source.size:
        raise Refused(
            "T-S018",
            f"{part.prefix}byte {end}: {part.source.size - end} bytes follow the pickle's end",
        )


class Arrays:
    """The arrays that joblib writes between the opcodes."""

    def __init__(self, part: Part, exam: Examination) -> None:
        self.part, self.exam = part, exam

    def skip(self, wrapper: Made, offset: int, where: str) -> int:
        """Return the offset behind an array's bytes."""
        source = self.part.source
        facts = _entries(wrapper)
        shape, dtype = facts.get("shape"), facts.get("dtype")
        kind, order = facts.get("subclass"), facts.get("order")
        if not isinstance(kind, Global) or kind.name not in {"numpy.ndarray", "numpy.memmap"}:
            raise Refused("T-S011", f"{where}: joblib's array is no numpy.ndarray")
        if order not in {"C", "F"} or not isinstance(shape, Row):
            raise Refused("T-S016", f"{where}: joblib's array has no shape or order")
        counts = [n for n in shape.items if isinstance(n, int) and n >= 0]
        size = dtype_itemsize(dtype)
        if len(counts) != len(shape.items) or size is None:
            raise Refused("T-S016", f"{where}: joblib's array has no shape or plain type")
        if size == 0:
            return self._objects(source, offset)
        if facts.get("numpy_array_alignment_bytes") is not None:
            padding = source.exactly(offset, 1)[0]
            if source.exactly(offset + 1, padding) != b"\xff" * padding:
                raise Refused("T-S005", f"{where}: joblib's padding holds something")
            offset += 1 + padding
        need = prod(counts) * size
        if offset + need > source.size:
            raise Refused(
                "T-S002", f"{where}: an array of {need} bytes, {source.size - offset} left"
            )
        return offset + need

    def _objects(self, source: Source, offset: int) -> int:
        # An array of objects is a plain pickle within the stream; it holds no further ones.
        return Machine(
            source, offset, self.exam.policy, where=self.part.prefix, refuse=self.exam.refuse
        ).run()


def _entries(wrapper: Made) -> dict[str, Value]:
    items = (wrapper.box.items if wrapper.box else None) or []
    return {
        key: value
        for key, value in zip(items[::2], items[1::2], strict=False)
        if isinstance(key, str)
    }
