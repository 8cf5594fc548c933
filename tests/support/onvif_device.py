"""An ONVIF camera on real sockets: answers WS-Discovery and SOAP as the specification has it, or as an attacker."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOST = "127.0.0.1"
PROFILES = (("main", "H265", 3840, 2160, 15), ("sub", "H264", 1280, 720, 25), ("tiny", "JPEG", 640, 360, 5))


@dataclass
class OnvifDevice:
    """``second``: it has the media service of version 2. ``ahead``: of our clock. ``hostile``: its only answer."""

    user: str = "viewer"
    password: str = "p<w&d"
    second: bool = True
    ahead: timedelta = timedelta()
    xaddr_host: str = HOST
    hostile: bytes | None = None
    asked: list[str] = field(default_factory=list)
    discovery_port: int = 0
    http_port: int = 0

    @property
    def service(self) -> str:
        return f"http://{self.xaddr_host}:{self.http_port}/onvif/device_service"

    def probe_match(self, message_id: str) -> bytes:
        return (
            (
                '<?xml version="1.0"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" '
                'xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
                'xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><s:Header>'
                f"<a:RelatesTo>{message_id}</a:RelatesTo></s:Header><s:Body><d:ProbeMatches><d:ProbeMatch>"
                "<d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>onvif://www.onvif.org/name/Dock%20\x1b[31m7 "
                f"onvif://www.onvif.org/hardware/AC-100</d:Scopes><d:XAddrs>http://[fe80::1]/onvif "
                f"{self.service}</d:XAddrs>"
                "</d:ProbeMatch></d:ProbeMatches></s:Body></s:Envelope>"
            )
            .replace("\x1b", "%1B")
            .encode()
        )

    def answer(self, body: str) -> tuple[int, bytes]:
        """Status and SOAP of one request."""
        found = re.search(r"<e:Body><(\w+)", body)
        action = found[1] if found else ""
        self.asked.append(action)
        if self.hostile is not None:
            return 200, self.hostile
        if action == "GetSystemDateAndTime":
            now = datetime.now(UTC) + self.ahead
            return 200, envelope(
                "<r><UTCDateTime>"
                f"<Time><Hour>{now.hour}</Hour><Minute>{now.minute}</Minute><Second>{now.second}</Second></Time>"
                f"<Date><Year>{now.year}</Year><Month>{now.month}</Month><Day>{now.day}</Day></Date>"
                "</UTCDateTime></r>"
            )
        if not self.signed(body):
            return 400, envelope(
                "<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>ter:NotAuthorized</s:Value>"
                "</s:Subcode></s:Code><s:Reason><s:Text>Sender not authorized</s:Text></s:Reason></s:Fault>"
            )
        return self.authorised(action, body)

    def authorised(self, action: str, body: str) -> tuple[int, bytes]:
        media = f"http://192.0.2.1:80/onvif/media{2 if self.second else ''}"
        if action == "GetServices" and self.second:
            return 200, envelope(
                "<r><Service><Namespace>http://www.onvif.org/ver10/media/wsdl</Namespace><XAddr>http://x/m</XAddr>"
                f"</Service><Service><Namespace>http://www.onvif.org/ver20/media/wsdl</Namespace><XAddr>{media}</XAddr>"
                "</Service></r>"
            )
        if action == "GetCapabilities" and not self.second:
            return 200, envelope(f"<r><Capabilities><Media><XAddr>{media}</XAddr></Media></Capabilities></r>")
        if action == "GetProfiles":
            tag = "VideoEncoder" if self.second else "VideoEncoderConfiguration"
            return 200, envelope(
                "<r>" + "".join(
                    f'<Profiles token="{name}"><Name>{name}</Name><{tag}><Encoding>{codec}</Encoding><Resolution>'
                    f"<Width>{width}</Width><Height>{height}</Height></Resolution><RateControl><FrameRateLimit>{fps}"
                    f"</FrameRateLimit></RateControl></{tag}></Profiles>"
                    for name, codec, width, height, fps in PROFILES
                ) + "</r>"
            )  # fmt: skip
        if action == "GetStreamUri":
            token = re.search(r"<ProfileToken>(.*?)</ProfileToken>", body)
            uri = f"rtsp://viewer:secret@{HOST}:8554/{token[1] if token else ''}?a=1&amp;b=2"
            inner = f"<Uri>{uri}</Uri>"
            return 200, envelope(f"<r>{inner}</r>" if self.second else f"<r><MediaUri>{inner}</MediaUri></r>")
        return 400, envelope("<s:Fault><s:Reason><s:Text>Action not supported</s:Text></s:Reason></s:Fault>")

    def signed(self, body: str) -> bool:
        """The device's own check of the digest, with its own clock."""
        parts = [
            re.search(rf"<(?:\w+:)?{tag}(?: [^>]*)?>(.*?)<", body)
            for tag in ("Username", "Password", "Nonce", "Created")
        ]
        if not all(parts):
            return False
        user, digest, nonce, created = (part[1] for part in parts if part is not None)
        at = datetime.strptime(created, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        if abs(at - datetime.now(UTC) - self.ahead) > timedelta(seconds=30):
            return False
        wanted = hashlib.sha1(base64.b64decode(nonce) + created.encode() + self.password.encode()).digest()
        return user == self.user and base64.b64decode(digest) == wanted


def envelope(body: str) -> bytes:
    return (
        f'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>{body}</s:Body></s:Envelope>'.encode()
    )


@contextmanager
def running(device: OnvifDevice) -> Iterator[OnvifDevice]:
    """``device`` on free ports of the loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, answer = device.answer(body)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    device.http_port = server.server_address[1]
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((HOST, 0))
    device.discovery_port = udp.getsockname()[1]

    def discover() -> None:
        while True:
            probe, sender = udp.recvfrom(65_535)
            if probe == b"end":
                return
            text = probe.decode()
            device.asked.append("Probe")
            # Like cameras that answer to one type only.
            if "dn:NetworkVideoTransmitter" in text:
                found = re.search(r"<a:MessageID>(.*?)</a:MessageID>", text)
                assert found
                udp.sendto(device.hostile or device.probe_match(found[1]), sender)

    threads = [threading.Thread(target=server.serve_forever), threading.Thread(target=discover)]
    for thread in threads:
        thread.start()
    try:
        yield device
    finally:
        server.shutdown()
        server.server_close()
        udp.sendto(b"end", (HOST, device.discovery_port))
        for thread in threads:
            thread.join(10)
        udp.close()
