"""The viewer's page of a local run: its address, and the browser that shows it."""

from __future__ import annotations

import os
import socket
import threading
import time
import webbrowser

from vigie_devkit.local.paths import RunPaths

_SERVED_WITHIN_S = 60.0


def page_address(run: RunPaths) -> str:
    """``address:port``; the person's ``VIGIE_PAGE`` wins."""
    return os.environ.get("VIGIE_PAGE") or run.page.read_text(encoding="utf-8").strip()


def page_url(run: RunPaths) -> str:
    scheme = "https" if os.environ.get("VIGIE_PAGE_TLS") else "http"
    return f"{scheme}://{page_address(run)}"


def open_when_served(run: RunPaths) -> None:
    """Open the browser as soon as the page answers; gives up quietly, since the address is on the screen anyway."""
    host, _, port = page_address(run).rpartition(":")

    def wait() -> None:
        deadline = time.monotonic() + _SERVED_WITHIN_S
        while time.monotonic() < deadline:
            try:
                with socket.create_connection((host, int(port)), timeout=1.0):
                    break
            except OSError:
                time.sleep(0.1)
        else:
            return
        webbrowser.open(page_url(run))

    threading.Thread(target=wait, name="local.browser", daemon=True).start()
