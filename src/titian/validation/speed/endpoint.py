"""An HTTP endpoint that speaks the Open Inference Protocol, version 2, in JSON.

``GET URL`` of a model gives its inputs, ``POST URL/infer`` an answer. Every exchange has a
deadline that nothing on the other side can stretch: a watch closes the connection, whether
the endpoint is silent or drips one byte a second. Redirects are not followed and proxies of
the environment are not used: what is timed is what was named.

Source: Open Inference Protocol (KServe V2), REST part.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeGuard
from urllib.parse import urlsplit

import numpy as np

from titian.errors import InputError, Problem

LONGEST_ANSWER: Final = 64 * 2**20
"""An answer of more bytes is refused unread."""

WATCH_S: Final = 0.02
INTEGERS: Final = ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")
FLOATS: Final = ("FP16", "FP32", "FP64")
_CHARACTERS: Final = 120
_MODEL: Final = re.compile(r"/v2/models/[^/]+(?:/versions/[^/]+)?")


class NoAnswerError(Exception):
    """One query had no usable answer; the message says why."""


class _Watch:
    """Closes connections whose exchange has gone on for too long."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[int, tuple[float, socket.socket]] = {}
        self._late: set[int] = set()
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def deadline(self, held: socket.socket, seconds: float) -> Iterator[None]:
        key = threading.get_ident()
        with self._lock:
            self._late.discard(key)
            self._open[key] = (time.monotonic() + seconds, held)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._open.pop(key, None)

    def was_late(self) -> bool:
        with self._lock:
            return threading.get_ident() in self._late

    def _run(self) -> None:
        idle_since = time.monotonic()
        while True:
            time.sleep(WATCH_S)
            now = time.monotonic()
            with self._lock:
                for key, (end, held) in list(self._open.items()):
                    if now > end:
                        self._late.add(key)
                        del self._open[key]
                        with contextlib.suppress(OSError):
                            held.shutdown(socket.SHUT_RDWR)
                if self._open:
                    idle_since = now
                elif now - idle_since > 1.0:
                    self._thread = None
                    return


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpTarget:
    """A model behind an endpoint; one connection a thread, kept open.

    Attributes:
        name: the path of the model, without the machine it is on.
        batch: as in `Target`; 1 where the endpoint states no free first axis.
        timeout_s: longest exchange.
        notes: as in `Target`.
        finite: whether every number of the first answer was finite.
    """

    name: str
    url: str
    timeout_s: float
    batch: int | None
    notes: tuple[str, ...]
    finite: bool
    bodies: dict[int, bytes] = field(repr=False)
    ports: tuple[Mapping[str, Any], ...] = field(repr=False)
    seed: int
    wire: _Wire = field(repr=False)
    kind: str = "http"
    remote: bool = True
    before_mib: float | None = None

    def answer(self, query: int, samples: int) -> object:  # noqa: ARG002 - the protocol's form
        """Send one query and read its answer.

        Raises:
            NoAnswerError: it was refused, hung, or is not an answer of the protocol.
        """
        if self.batch is None:
            return check_answer(self.wire.exchange("POST", "/infer", self._body(samples)))
        found: object = None
        for _ in range(-(-samples // self.batch)):
            found = check_answer(self.wire.exchange("POST", "/infer", self._body(1)))
        return found

    def close(self) -> None:
        """Close the connections; another query opens one again."""
        self.wire.close()

    def _body(self, samples: int) -> bytes:
        held = self.bodies.get(samples)
        if held is None:
            rows = samples if self.batch is None else 1
            held = self.bodies[samples] = _request(self.ports, rows=rows, seed=self.seed)
        return held


class _Wire:
    """Connections to one model, one a thread."""

    def __init__(self, url: str, timeout_s: float) -> None:
        parts = urlsplit(url)
        self.secure = parts.scheme == "https"
        self.host, self.port = parts.hostname or "", parts.port
        self.path = parts.path.rstrip("/").removesuffix("/infer")
        self.timeout_s = timeout_s
        self._local = threading.local()
        self._watch = _Watch()
        self._links: list[http.client.HTTPConnection] = []

    def close(self) -> None:
        """Close every connection, those of threads that are gone too."""
        while self._links:
            self._links.pop().close()
        self._local = threading.local()

    def exchange(self, method: str, place: str, body: bytes | None = None) -> bytes:
        """Return the body of a 200 answer.

        Raises:
            NoAnswerError: with the reason.
        """
        kept_open = self._link().sock is not None
        try:
            try:
                return self._exchange(method, place, body)
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                # An endpoint may close a connection between two queries; every client then
                # asks again on a new one, and the time for that is part of the latency.
                if not kept_open or self._watch.was_late():
                    raise
                self._drop()
                return self._exchange(method, place, body)
        except NoAnswerError:
            self._drop()
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            late = self._watch.was_late() or isinstance(error, TimeoutError)
            self._drop()
            if late:
                raise NoAnswerError(f"no answer within {self.timeout_s:g} s") from error
            raise NoAnswerError(_words(error)) from error

    def _exchange(self, method: str, place: str, body: bytes | None) -> bytes:
        begin = time.monotonic()
        link = self._link()
        if link.sock is None:
            link.connect()
        left = max(self.timeout_s - (time.monotonic() - begin), 0.001)
        with self._watch.deadline(link.sock, left):
            headers = {"Content-Type": "application/json"} if body is not None else {}
            link.request(method, self.path + place, body=body, headers=headers)
            with link.getresponse() as response:
                content = response.read(LONGEST_ANSWER + 1)
                cut = not response.isclosed() and len(content) <= LONGEST_ANSWER
        if self._watch.was_late():
            raise NoAnswerError(f"no answer within {self.timeout_s:g} s")
        if len(content) > LONGEST_ANSWER:
            raise NoAnswerError(f"an answer of more than {LONGEST_ANSWER // 2**20} MiB")
        if response.status != 200:
            raise NoAnswerError(f"status {response.status}")
        if cut:
            raise NoAnswerError("an answer that breaks off")
        return content

    def _link(self) -> http.client.HTTPConnection:
        link: http.client.HTTPConnection | None = getattr(self._local, "link", None)
        if link is None:
            kind = http.client.HTTPSConnection if self.secure else http.client.HTTPConnection
            link = self._local.link = kind(self.host, self.port, timeout=self.timeout_s)
            self._links.append(link)
        return link

    def _drop(self) -> None:
        link = getattr(self._local, "link", None)
        if link is not None:
            link.close()
            self._local.link = None
            self._links.remove(link)


def is_endpoint(place: str) -> bool:
    """Say whether a model is named by URL."""
    return place.startswith(("http://", "https://"))


def open_endpoint(url: str, *, timeout_s: float = 10.0, seed: int = 0) -> HttpTarget:
    """Ask an endpoint for its model and try one query.

    Args:
        url: ``http://HOST:PORT/v2/models/NAME``, with or without ``/infer``.
        timeout_s: longest exchange.
        seed: of the input's numbers.

    Raises:
        InputError: T-V166 the URL, T-V167 the endpoint does not answer as the protocol says.
    """
    parts = urlsplit(url)
    try:
        port_is_number = parts.port is None or parts.port > 0
    except ValueError:
        port_is_number = False
    path = parts.path.rstrip("/").removesuffix("/infer")
    if not (parts.hostname and port_is_number and _MODEL.fullmatch(path)) or parts.username:
        raise InputError(
            Problem(
                code="T-V166",
                message=f"{_without_secret(url)} does not name a model of an endpoint; that is "
                "http://HOST:PORT/v2/models/NAME, without user and password.",
                remedy="Give the URL at which the endpoint describes the model.",
            )
        )
    wire = _Wire(url, timeout_s)
    try:
        ports = _described(wire.exchange("GET", ""))
        batch = None if all(port["shape"][:1] == [-1] for port in ports) else 1
        found = check_answer(
            wire.exchange("POST", "/infer", _request(ports, rows=1, seed=seed))
        )
    except NoAnswerError as error:
        wire.close()
        raise InputError(
            Problem(
                code="T-V167",
                message=f"the endpoint of {path} gave no usable answer: {error}.",
                remedy="See that it is up and speaks the Open Inference Protocol, version 2, "
                "in JSON.",
            )
        ) from error
    notes = ["CPU time and memory are those of the endpoint's process and are not shown"]
    free = [port["name"] for port in ports if -1 in port["shape"]]
    if free:
        notes.append(f"free axes were taken as 1: {', '.join(free)}")
    finite = all(math.isfinite(value) for value in found)
    if not finite:
        notes.append("the first answer holds NaN or infinity")
    return HttpTarget(
        name=path,
        url=url,
        timeout_s=timeout_s,
        batch=batch,
        notes=tuple(notes),
        finite=finite,
        bodies={},
        ports=tuple(ports),
        seed=seed,
        wire=wire,
    )


def check_answer(content: bytes) -> list[float]:
    """Return the numbers of an answer.

    Raises:
        NoAnswerError: it is not JSON, or its outputs are not as long as their shapes say.
    """
    answer = _json(content)
    outputs = answer.get("outputs") if isinstance(answer, dict) else None
    if not isinstance(outputs, list) or not outputs:
        raise NoAnswerError(f"garbage: {_start(content)} has no outputs")
    numbers: list[float] = []
    for output in outputs:
        if not isinstance(output, dict):
            raise NoAnswerError("garbage: an output is not an object")
        data, shape = output.get("data"), output.get("shape")
        if not isinstance(data, list) or not _is_shape(shape, lowest=0):
            raise NoAnswerError("garbage: an output lacks data or shape")
        flat = list(_flat(data))
        if len(flat) != math.prod(shape):
            raise NoAnswerError(f"garbage: an output of shape {shape} holds {len(flat)} values")
        numbers += [_number(v) for v in flat if isinstance(v, int | float)]
    return numbers


def _flat(data: list[Any]) -> Iterator[Any]:
    # No recursion: a stranger chooses how deep the lists are.
    rest = [iter(data)]
    while rest:
        for item in rest[-1]:
            if isinstance(item, list):
                rest.append(iter(item))
                break
            yield item
        else:
            rest.pop()


def _number(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _described(content: bytes) -> list[dict[str, Any]]:
    answer = _json(content)
    ports = answer.get("inputs") if isinstance(answer, dict) else None
    if not isinstance(ports, list) or not ports:
        raise NoAnswerError(f"garbage: {_start(content)} describes no inputs")
    for port in ports:
        named = isinstance(port, dict) and isinstance(port.get("name"), str)
        if not named or not _is_shape(port.get("shape"), lowest=-1):
            raise NoAnswerError("garbage: an input lacks name or shape")
        if port.get("datatype") not in (*INTEGERS, *FLOATS, "BOOL"):
            raise NoAnswerError(f"input {port['name']!r} is of kind {port.get('datatype')!r}")
    return ports


def _is_shape(shape: object, *, lowest: int) -> TypeGuard[list[int]]:
    return isinstance(shape, list) and all(
        isinstance(size, int) and not isinstance(size, bool) and size >= lowest
        for size in shape
    )


def _request(ports: Any, *, rows: int, seed: int) -> bytes:  # noqa: ANN401 - JSON
    rng = np.random.default_rng(seed)
    inputs = []
    for port in ports:
        shape = [1 if size == -1 else size for size in port["shape"]]
        if rows > 1 and port["shape"][:1] == [-1]:
            shape[0] = rows
        count = math.prod(shape)
        data: list[Any]
        if port["datatype"] in FLOATS:
            data = np.round(rng.random(count), 6).tolist()
        elif port["datatype"] == "BOOL":
            data = (rng.random(count) < 0.5).tolist()
        else:
            data = rng.integers(0, 2, count).tolist()
        inputs.append(
            {"name": port["name"], "datatype": port["datatype"], "shape": shape, "data": data}
        )
    return json.dumps({"inputs": inputs}).encode()


def _json(content: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise NoAnswerError(f"garbage: {_start(content)} is not JSON") from error


def _start(content: bytes) -> str:
    return repr(content[:_CHARACTERS].decode("utf-8", errors="replace"))


def _words(error: Exception) -> str:
    match error:
        case ConnectionRefusedError():
            return "the connection was refused"
        case socket.gaierror():
            return "the host's name is unknown"
        case http.client.RemoteDisconnected() | ConnectionError():
            return "the connection was closed"
        case http.client.IncompleteRead():
            return "an answer that breaks off"
        case http.client.HTTPException():
            return f"garbage: not HTTP ({type(error).__name__})"
        case OSError():
            return error.strerror or type(error).__name__
        case _:
            return f"garbage: {type(error).__name__}"


def _without_secret(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//...@", url)
