"""A camera over HTTP on loopback, as real ones are: MJPEG, snapshots, HLS; digest passwords, redirects, cuts."""

from __future__ import annotations

import hashlib
import re
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np

REALM, NONCE = "cam", "0123456789abcdef"


def jpeg(number: int, size_wh: tuple[int, int] = (64, 48)) -> bytes:
    """Grey of level 4 n + 10 with a corner that tells nothing: the mean tells the number."""
    done, data = cv2.imencode(".jpg", np.full((size_wh[1], size_wh[0], 3), (4 * number + 10) % 250, np.uint8))
    assert done
    return data.tobytes()


@dataclass
class WebCamera:
    """``lengths``: parts say theirs; ``damaged``: every so many pictures are cut in half; ``folder``: of an HLS."""

    port: int = 0
    credentials: tuple[str, str] | None = None
    digest: bool = True
    lengths: bool = True
    boundary: str = "frame"
    damaged: int = 0
    ends_after: int = 0
    redirect: str | None = None
    folder: Path | None = None
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    tls: ssl.SSLContext | None = None
    stopping: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str) -> str:
        origin = "http://127.0.0.1" if self.tls is None else "https://localhost"
        return f"{origin}:{self.port}{path}"

    def picture(self, number: int) -> bytes:
        data = jpeg(number)
        return data[: len(data) // 2] if self.damaged and number % self.damaged == self.damaged - 1 else data


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        camera = self.server.camera
        camera.asked.append((self.path, self.headers.get("Authorization")))
        if camera.redirect is not None and self.path.startswith("/redirect"):
            self._head(302, Location=camera.redirect)
            return
        if camera.credentials is not None and not self._authorised(camera.credentials):
            offered = (
                f'Digest realm="{REALM}", nonce="{NONCE}", qop="auth"' if camera.digest else f'Basic realm="{REALM}"'
            )
            self._head(401, **{"WWW-Authenticate": offered})
            return
        match self.path.partition("?")[0]:
            case "/mjpeg":
                self._stream(camera)
            case "/snapshot":
                data = camera.picture(len([1 for path, _ in camera.asked if path == self.path]))
                self._head(200, data, **{"Content-Type": "image/jpeg"})
            case "/page":
                self._head(200, b"<html>sign in</html>", **{"Content-Type": "text/html"})
            case path if camera.folder is not None and (camera.folder / path[1:]).is_file():
                kind = "application/vnd.apple.mpegurl" if path.endswith(".m3u8") else "video/mp2t"
                self._head(200, (camera.folder / path[1:]).read_bytes(), **{"Content-Type": kind})
            case _:
                self._head(404)

    def _stream(self, camera: WebCamera) -> None:
        self.send_response(200)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={camera.boundary}")
        self.end_headers()
        number = 0
        while not camera.stopping.is_set() and not (camera.ends_after and number >= camera.ends_after):
            data = camera.picture(number % 60)
            length = f"Content-Length: {len(data)}\r\n" if camera.lengths else ""
            head = f"--{camera.boundary.lstrip('-')}\r\nContent-Type: image/jpeg\r\n{length}\r\n"
            try:
                self.wfile.write(head.encode() + data + b"\r\n")
                self.wfile.flush()
            except OSError:
                return
            number += 1
            time.sleep(0.04)

    def _authorised(self, credentials: tuple[str, str]) -> bool:
        user, password = credentials
        given = self.headers.get("Authorization", "")
        if not given.startswith("Digest "):
            import base64

            return (
                not self.server.camera.digest
                and given == "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
            )
        asked = dict(re.findall(r'(\w+)="?([^",]+)"?', given))
        one = hashlib.md5(f"{user}:{REALM}:{password}".encode()).hexdigest()
        two = hashlib.md5(f"GET:{self.path}".encode()).hexdigest()
        middle = f"{asked.get('nonce')}:{asked.get('nc')}:{asked.get('cnonce')}:{asked.get('qop')}"
        return asked.get("response") == hashlib.md5(f"{one}:{middle}:{two}".encode()).hexdigest()

    def _head(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, camera: WebCamera) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.camera = camera
        if camera.tls is not None:
            # The handshake belongs into the request's own thread: a client that breaks it off must not end the server.
            self.socket = camera.tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, *_: object) -> None:
        """A decoder that is killed breaks its connection: no news."""


@contextmanager
def web_camera(**settings: object) -> Iterator[WebCamera]:
    """A running camera."""
    camera = WebCamera(**settings)  # type: ignore[arg-type]
    server = _Server(camera)
    camera.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield camera
    finally:
        camera.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
