"""A server of the Open Inference Protocol that runs an ONNX file, and can be told to misbehave."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

KINDS = {"uint8": "UINT8", "float32": "FP32", "float16": "FP16", "int64": "INT64", "int32": "INT32"}
NUMPY = {"tensor(uint8)": "uint8", "tensor(float)": "float32", "tensor(float16)": "float16", "tensor(int64)": "int64"}


class V2Server(ThreadingHTTPServer):
    """``fault``: what to do wrong from now on; after ``answers_left`` it ``fails``. Without ``token``: 401."""

    daemon_threads = True

    def __init__(self, model: Path, *, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
        self.fault = ""
        self.token = ""
        self.answers_left: int | None = None
        self.extensions = ["classification", "binary_tensor_data"]
        self.asked: list[str] = []
        self.connections = 0
        self.live: list[socket.socket] = []

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is what some tests do."""

    @property
    def url(self) -> str:
        scheme = "https" if isinstance(self.socket, ssl.SSLSocket) else "http"
        return f"{scheme}://127.0.0.1:{self.server_port}"

    def answer(self, head: dict[str, Any], body: bytes) -> tuple[bytes, bytes]:
        """The answer's head and its tensors."""
        put = head["inputs"][0]
        array = np.frombuffer(body, np.uint8).reshape(put["shape"])
        names = [one["name"] for one in head["outputs"]]
        outputs = self.session.run(names, {put["name"]: array})
        if self.fault == "wrong numbers":
            outputs = [np.zeros_like(output) for output in outputs]
        told = [
            {
                "name": name,
                "datatype": KINDS[output.dtype.name],
                "shape": list(output.shape),
                "parameters": {"binary_data_size": output.nbytes},
            }
            for name, output in zip(names, outputs, strict=True)
        ]
        parts = [output.tobytes() for output in outputs]
        match self.fault:
            case "cut short":
                parts[-1] = parts[-1][:-8]
            case "too much":
                parts.append(b"\0" * 64)
            case "huge":
                parts.append(b"\0" * (64 << 20))
            case "other shape":
                told[0]["shape"] = [1, *told[0]["shape"]]
            case "as json":
                told[0] |= {"parameters": {}, "data": outputs[0].ravel().tolist()}
                parts[0] = b""
            case "output missing":
                told, parts = told[1:], parts[1:]
            case "no head":
                return b"", b"{"
        return json.dumps({"model_name": "m", "outputs": told}).encode(), b"".join(parts)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: V2Server

    disable_nagle_algorithm = True  # it writes head and body apart

    def setup(self) -> None:
        self.server.connections += 1
        self.server.live.append(self.request)
        super().setup()

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.path == "/v2":
            self._json(200, {"name": "stand-in", "version": "1.0", "extensions": self.server.extensions})
        elif self.path == "/v2/models/tiny/ready":
            self._json(400 if self.server.fault == "not ready" else 200, {})
        elif self.path == "/v2/models/tiny":
            ports = self.server.session.get_inputs(), self.server.session.get_outputs()
            inputs, outputs = ([self._port(port) for port in some] for some in ports)
            self._json(200, {"name": "tiny", "inputs": inputs, "outputs": outputs[::-1]})
        else:
            self._json(404, {"error": f"Request for unknown model: '{self.path}' is not found"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        cut = int(self.headers["Inference-Header-Content-Length"])
        if self.server.answers_left is not None:
            self.server.answers_left -= 1
            if self.server.answers_left < 0:
                self.server.fault = "fails"
        if self.server.fault == "hangs":
            time.sleep(30)
        if self.server.fault == "fails":
            self._json(500, {"error": "out of memory\non the GPU"})
            return
        if self.server.fault == "redirects":
            self.send_response(307)
            self.send_header("Location", "http://192.0.2.1/")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.server.fault == "hangs up":
            self.close_connection = True
            return
        head, tensors = self.server.answer(json.loads(body[:cut]), body[cut:])
        self._send(200, head + tensors, {"Inference-Header-Content-Length": str(len(head))})
        if self.server.fault == "closes when idle":
            self.close_connection = True

    def _port(self, port: Any) -> dict[str, Any]:
        shape = [side if isinstance(side, int) else -1 for side in port.shape]
        return {"name": port.name, "datatype": KINDS[NUMPY[port.type]], "shape": shape}

    def _json(self, status: int, tree: Any) -> None:
        self._send(status, json.dumps(tree).encode(), {})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        if self.server.token and self.headers.get("Authorization") != f"Bearer {self.server.token}":
            status, body = 401, b'{"error": "unauthorised"}'
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: pytest's output is not ours."""


@contextmanager
def v2_server(model: Path, *, tls: ssl.SSLContext | None = None) -> Iterator[V2Server]:
    server = V2Server(model)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        for connection in server.live:  # else its threads would go on answering
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        thread.join()
