"""An RTSP server as a process of its own, on GStreamer: run by an interpreter that has its bindings (python3-gi).

Arguments: port, what to serve (``file:PATH`` of an H.264 MP4, or ``pattern:NAME`` of videotestsrc), optional
``user:password``. Prints ``ready`` once it listens; the stream is ``/live``.
"""

from __future__ import annotations

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402


def main(port: str, what: str, credentials: str = "") -> None:
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    kind, _, name = what.partition(":")
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        f'( filesrc location="{name}" ! qtdemux ! rtph264pay name=pay0 pt=96 config-interval=1 )'
        if kind == "file"
        else f"( videotestsrc is-live=true pattern={name} "
        "! video/x-raw,format=I420,width=160,height=120,framerate=15/1 ! jpegenc ! rtpjpegpay name=pay0 pt=26 )"
    )
    if credentials:
        user, _, password = credentials.partition(":")
        auth = GstRtspServer.RTSPAuth()
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "user")
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
        server.set_auth(auth)
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_role("user")
        permissions.add_permission_for_role("user", "media.factory.access", True)
        permissions.add_permission_for_role("user", "media.factory.construct", True)
        factory.set_permissions(permissions)
    server.get_mount_points().add_factory("/live", factory)
    if server.attach(None) == 0:
        raise SystemExit(f"port {port} is busy")
    print("ready", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main(*sys.argv[1:])
