"""An rtsps camera with a certificate that nobody vouches for gets no request, and so no password."""

from __future__ import annotations

import contextlib
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from vigie_camera.config import CameraSettings
from vigie_camera.connect import ca_file
from vigie_camera.decode.backend import VideoError
from vigie_camera.decode.pyav import PyavBackend
from vigie_camera.source_policy import read_policy
from vigie_camera.sources import plan_source
from vigie_camera.sources.registry import OpenContext
from vigie_edgehub.shell.certificates import Certificates


@contextlib.contextmanager
def tls_camera(certificates: Certificates) -> Iterator[tuple[int, list[bytes]]]:
    """Accepts TLS connections, keeps the first request of each and asks for Basic credentials."""
    came: list[bytes] = []
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)

        def serve() -> None:
            while not stop.is_set():
                with contextlib.suppress(OSError):
                    taken, _ = server.accept()
                    taken.settimeout(5.0)
                    with taken, certificates.context().wrap_socket(taken, server_side=True) as link:
                        while request := link.recv(4096):
                            came.append(request)
                            number = request.partition(b"CSeq: ")[2].partition(b"\r\n")[0]
                            link.sendall(
                                b"RTSP/1.0 401 Unauthorized\r\nCSeq: %s\r\n"
                                b'WWW-Authenticate: Basic realm="cam"\r\n\r\n' % number
                            )

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1], came
        finally:
            stop.set()
            thread.join()


@pytest.mark.parametrize(("trusted", "tls_verify"), [(False, True), (True, True), (False, False)])
def test_the_password_goes_to_a_certified_camera_or_where_checking_is_off(
    tmp_path: Path, trusted: bool, tls_verify: bool
) -> None:
    certificates = Certificates(tmp_path / "ca")
    certificates.prepare(["127.0.0.1", "localhost"])
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "DOOR").write_text("s3cret")
    (secrets / "DOOR.host").write_text("localhost")
    if trusted:
        shutil.copy(certificates.ca_file, secrets / "camera-ca.pem")
    with tls_camera(certificates) as (port, came):
        plan = plan_source(f"rtsps://guard:${{DOOR}}@localhost:{port}/x", tls_verify=tls_verify)
        policy = read_policy({"VIGIE_CAMERA_NETWORKS": "localhost"})
        settings = CameraSettings(source=plan.shown, tls_verify=tls_verify)
        address = plan.resolve(OpenContext(secrets, {}, policy))
        with pytest.raises(VideoError) as failed:
            PyavBackend().open(address, plan.options(settings, 5.0, ca_file(secrets)))
    assert "s3cret" not in str(failed.value)
    if trusted or not tls_verify:
        assert any(b"Authorization: Basic" in request for request in came)
    else:
        assert came == []
