"""Systems under test: a Python callable and an ONNX Runtime session.

A *target* answers queries of one or more samples. It says how many samples one call takes,
what it was given as input, and what a person should know about both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from titian.errors import InputError, Problem
from titian.models.inspection import parse_model, read_bytes
from titian.models.session import first_line, session_faults
from titian.validation.speed.resources import resident_mib

WARM_CALLS = 3
"""Calls before anything is timed: the first ones allocate memory and choose kernels."""


class Target(Protocol):
    """What a load is put on."""

    @property
    def name(self) -> str:
        """How results name it."""

    @property
    def kind(self) -> str:
        """``onnxruntime``, ``callable`` or ``http``."""

    @property
    def batch(self) -> int | None:
        """Rows that one call takes; None where it takes any number."""

    @property
    def remote(self) -> bool:
        """Whether the work is done in another process, whose resources are not seen here."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know about the input and the answers."""

    @property
    def before_mib(self) -> float | None:
        """Memory of this process before the system was loaded."""

    def answer(self, query: int, samples: int) -> object:
        """Answer one query; raise where there is no answer. Called from several threads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallableTarget:
    """Any Python callable.

    Attributes:
        function: called with a query's number, once a sample.
        name: as in `Target`.
        notes: as in `Target`.
    """

    function: Callable[[int], object]
    name: str = "callable"
    notes: tuple[str, ...] = ()
    kind: str = "callable"
    batch: int | None = 1
    remote: bool = False
    before_mib: float | None = None

    def answer(self, query: int, samples: int) -> object:
        """Call the function `samples` times, one after the other."""
        for _ in range(samples - 1):
            self.function(query)
        return self.function(query)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxTarget:
    """A model in an ONNX Runtime session.

    Attributes:
        name: file name.
        content: the file's bytes, as inspected.
        model: the parsed ``onnx.ModelProto``.
        session: open.
        threads: threads inside an operator.
        shapes: (input, shape) at one sample.
        batch: as in `Target`.
        notes: as in `Target`.
        finite: whether every number of the answers to the warm-up was finite.
        outputs: what the warm-up answered, by name.
    """

    name: str
    content: bytes = field(repr=False)
    model: Any = field(repr=False)
    session: Any = field(repr=False)
    threads: int
    shapes: tuple[tuple[str, tuple[int, ...]], ...]
    batch: int | None
    notes: tuple[str, ...]
    finite: bool
    outputs: Mapping[str, npt.NDArray[Any]] = field(repr=False)
    before_mib: float | None
    feeds: dict[int, dict[str, npt.NDArray[Any]]] = field(repr=False)
    moving: frozenset[str] = field(repr=False)
    kind: str = "onnxruntime"
    remote: bool = False

    def answer(self, query: int, samples: int) -> object:  # noqa: ARG002 - the protocol's form
        """Run the session on `samples` rows, in as many calls as its batch asks for."""
        if self.batch is None:
            return self.session.run(None, self.feed(samples))
        whole = self.feeds[1]
        found = None
        for _ in range(-(-samples // self.batch)):
            found = self.session.run(None, whole)
        return found

    def close(self) -> None:
        """Nothing is held that outlives the object."""

    def feed(self, samples: int) -> dict[str, npt.NDArray[Any]]:
        """Return the input of `samples` rows."""
        held = self.feeds.get(samples)
        if held is None:
            held = {
                key: np.repeat(value, samples, axis=0) if key in self.moving else value
                for key, value in self.feeds[1].items()
            }
            self.feeds[samples] = held
        return held


def open_target(
    path: Path,
    *,
    threads: int = 1,
    seed: int = 0,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    inputs: Mapping[str, npt.NDArray[Any]] | None = None,
) -> OnnxTarget:
    """Inspect a model, open it and warm it up.

    Args:
        path: of the ONNX file.
        threads: threads inside an operator.
        seed: of the input's numbers.
        shapes: shapes of inputs whose axes are free; other free axes become 1.
        inputs: what to give instead of random numbers, by the input's name.

    Raises:
        InputError: T-M001 to T-M005 not a model that may run; T-V164 a shape or an array
            that does not fit; T-V165 ONNX Runtime refuses the graph or the input.
    """
    before = resident_mib()
    content = read_bytes(path)
    model = parse_model(content, name=path.name)
    session = open_session(content, name=path.name, threads=threads)
    feed, moving, batch, notes = _inputs(
        session, path.name, dict(shapes or {}), dict(inputs or {}), seed
    )
    found: list[Any] = []
    for _ in range(WARM_CALLS):
        try:
            found = session.run(None, feed)
        except session_faults() as error:
            shown = ", ".join(f"{key} {value.shape}" for key, value in feed.items())
            raise InputError(
                Problem(
                    code="T-V165",
                    message=f"{path.name} does not run on {shown}: {first_line(error)}.",
                    remedy="Give the shape of a real input with --shape NAME=1,3,224,224, or "
                    "real arrays with --inputs FILE.npz.",
                )
            ) from error
    outputs = {
        port.name: np.asarray(value)
        for port, value in zip(session.get_outputs(), found, strict=True)
        if isinstance(value, np.ndarray)
    }
    finite = all(
        bool(np.isfinite(value).all()) for value in outputs.values() if value.dtype.kind == "f"
    )
    if not finite:
        notes.append("the answers to the warm-up hold NaN or infinity")
    return OnnxTarget(
        name=path.name,
        content=content,
        model=model,
        session=session,
        threads=threads,
        shapes=tuple((key, value.shape) for key, value in feed.items()),
        batch=batch,
        notes=tuple(notes),
        finite=finite,
        outputs=outputs,
        before_mib=before,
        feeds={1: feed},
        moving=moving,
    )


def open_session(content: bytes, *, name: str, threads: int) -> Any:  # noqa: ANN401 - no types
    """Open an inspected model as it would be served: optimised, on `threads` threads.

    Raises:
        InputError: T-V165.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Idle threads that spin would take the processor from the generator and its neighbours.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(
            content, sess_options=options, providers=["CPUExecutionProvider"]
        )
    except session_faults() as error:
        raise InputError(
            Problem(
                code="T-V165",
                message=f"{name} cannot be run by onnxruntime: {first_line(error)}.",
                remedy="Export the model again with an opset that onnxruntime knows.",
            )
        ) from error


_KINDS = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(int16)": np.int16,
    "tensor(int8)": np.int8,
    "tensor(uint8)": np.uint8,
    "tensor(uint16)": np.uint16,
    "tensor(uint32)": np.uint32,
    "tensor(uint64)": np.uint64,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.object_,
}

MOST_ELEMENTS = 2**28
"""A larger input (1 GiB of float32) is a slip rather than a wish."""


def _inputs(
    session: Any,  # noqa: ANN401 - no types there
    name: str,
    shapes: dict[str, tuple[int, ...]],
    arrays: dict[str, npt.NDArray[Any]],
    seed: int,
) -> tuple[dict[str, npt.NDArray[Any]], frozenset[str], int | None, list[str]]:
    rng = np.random.default_rng(seed)
    ports = {port.name: port for port in session.get_inputs()}
    problems = [
        _unfit(f"{name} has no input {key!r}; it has {', '.join(map(repr, ports))}")
        for key in sorted({*shapes, *arrays} - set(ports))
    ]
    feed: dict[str, npt.NDArray[Any]] = {}
    free: list[str] = []
    for key, port in ports.items():
        stated = tuple(size if isinstance(size, int) else None for size in port.shape)
        wanted = arrays[key].shape if key in arrays else shapes.get(key)
        if wanted is not None and not _fits(wanted, stated):
            problems.append(
                _unfit(
                    f"{name}: input {key!r} is {_shown(stated)}; {_shown(wanted)} does not fit"
                )
            )
            continue
        if port.type not in _KINDS:
            problems.append(_unfit(f"{name}: input {key!r} is a {port.type}"))
            continue
        taken = tuple(1 if size is None else size for size in stated)
        shape = taken if wanted is None else wanted
        if wanted is None and None in stated:
            free.append(f"{key} {_shown(stated)} as {_shown(shape)}")
        if int(np.prod(shape, dtype=np.float64)) > MOST_ELEMENTS or 0 in shape:
            problems.append(
                _unfit(f"{name}: input {key!r} of shape {_shown(shape)} is empty or too large")
            )
            continue
        given = arrays.get(key)
        made = _draw(shape, _KINDS[port.type], rng) if given is None else given
        feed[key] = np.array(made, dtype=_KINDS[port.type], order="C")
    if problems:
        raise InputError(*problems)
    leading = [(key, port.shape[0]) for key, port in ports.items() if port.shape]
    moving = frozenset(
        key for key, size in leading if not isinstance(size, int) and len(feed[key]) == 1
    )
    sizes = {size for _, size in leading if isinstance(size, int)}
    batch: int | None = None
    if not moving:
        batch = sizes.pop() if len(sizes) == 1 else 1
    notes = []
    if free:
        notes.append(f"free axes were taken as 1: {'; '.join(free)}")
    if batch not in (None, 1):
        notes.append(f"the model takes {batch} samples a call and no other number")
    return feed, moving, batch, notes


def _draw(
    shape: tuple[int, ...], kind: type[np.generic], rng: np.random.Generator
) -> npt.NDArray[Any]:
    if kind is np.object_:
        return np.full(shape, "", dtype=np.object_)
    if issubclass(kind, np.floating):
        return rng.random(shape).astype(kind)
    # 0 and 1 are valid indices of nearly every embedding, and valid masks.
    return rng.integers(0, 2, shape).astype(kind)


def _fits(shape: tuple[int, ...], stated: tuple[int | None, ...]) -> bool:
    return len(shape) == len(stated) and all(
        size is None or size == given for given, size in zip(shape, stated, strict=True)
    )


def _shown(shape: tuple[int | None, ...]) -> str:
    inner = ", ".join("free" if size is None else str(size) for size in shape)
    return f"({inner}{',' if len(shape) == 1 else ''})"


def _unfit(message: str) -> Problem:
    return Problem(
        code="T-V164",
        message=f"{message}.",
        remedy="Give shapes or arrays as the model's inputs state them.",
    )
