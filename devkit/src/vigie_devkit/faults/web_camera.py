"""A live camera over HTTP (MJPEG) on this machine, which can be lost, frozen, black or cut on command."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from vigie_devkit.faults.pictures import conveyor_pictures, jpeg

_FPS = 8


@dataclass
class WebCamera:
    """``mode``: what it does from now on. ``lost``: connections break and are refused."""

    mode: str = "well"
    port: int = 0
    pictures: list[bytes] = field(default_factory=list)
    black: bytes = b""

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        camera = self.server.camera
        if camera.mode == "lost":
            self.send_error(503)
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        number = 0
        while camera.mode != "lost" and not self.server.stopping.is_set():
            if camera.mode != "frozen":
                number += 1
            data = camera.black if camera.mode == "black" else camera.pictures[number % len(camera.pictures)]
            if camera.mode == "damaged" and number % 2:
                data = data[: len(data) // 3]
            if camera.mode == "silent":
                time.sleep(0.1)
                continue
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            try:
                self.wfile.write(head.encode() + data + b"\r\n")
                self.wfile.flush()
            except OSError:
                return
            time.sleep(1 / _FPS)

    def log_message(self, *_: object) -> None:
        """Quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, camera: WebCamera) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.camera = camera
        self.stopping = threading.Event()

    def handle_error(self, *_: object) -> None:
        """A connection that breaks is what happens here."""


@contextmanager
def web_camera() -> Iterator[WebCamera]:
    """Serves until left."""
    camera = WebCamera(pictures=conveyor_pictures(), black=jpeg(np.zeros((480, 640, 3), np.uint8)))
    server = _Server(camera)
    camera.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield camera
    finally:
        server.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
