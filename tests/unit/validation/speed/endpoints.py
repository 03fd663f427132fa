"""Endpoints that behave, and some that do not, on a port of this machine."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PATH = "/v2/models/small"
DESCRIPTION = {
    "name": "small",
    "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}],
    "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 2]}],
}


def answer_of(request):
    rows = request["inputs"][0]["shape"][0]
    data = [0.5] * (2 * rows)
    output = {"name": "y", "datatype": "FP32", "shape": [rows, 2], "data": data}
    return {"model_name": "small", "outputs": [output]}


@contextlib.contextmanager
def endpoint(answer=answer_of, description=DESCRIPTION, hang_up_after=10**9):
    """Serve the protocol; `answer` may return bytes, or a status, or sleep.

    A connection is closed, unannounced, after `hang_up_after` answers.
    """
    seen = []
    stopped = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self):
            self.send(description)

        def do_POST(self):
            self.served = getattr(self, "served", 0) + 1
            if stopped.is_set() or self.served > hang_up_after:
                self.close_connection = True
                return
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append(request)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.send(answer(request))

        def send(self, found):
            status = found if isinstance(found, int) else 200
            body = found if isinstance(found, bytes) else json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}{PATH}", seen
    finally:
        stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def raw_endpoint(behave):
    """Accept connections and hand each to `behave(connection)` in a thread."""
    held = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def accept():
        held.settimeout(0.05)
        while not stop.is_set():
            with contextlib.suppress(TimeoutError, OSError):
                connection, _ = held.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    def serve(connection):
        with connection, contextlib.suppress(OSError):
            behave(connection)

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield f"http://127.0.0.1:{held.getsockname()[1]}{PATH}"
    finally:
        stop.set()
        thread.join()
        held.close()


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as held:
        return held.getsockname()[1]


def drip(connection):
    """Answer one byte at a time, so that no single read takes long."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(1_000):
        connection.sendall(b" ")
        time.sleep(0.01)
