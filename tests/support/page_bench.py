"""What the viewer's page costs, of a running system that this script starts: the figures of docs/benchmarks/viewer.md.

.venv/bin/python tests/support/page_bench.py --seconds 60 --minutes 20

Prints one JSON object. CPU is process time of the modules, as a share of one core; Chromium runs on the same machine
and is not counted, but takes its part of it: load and cores are printed with the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from support.product import Home

CHROMIUM = "/usr/bin/chromium"
SOURCE = "synthetic://conveyor?seed=3&fps=10&size=640x360"
COUNTED = ("viewer", "hub", "camera", "inference", "sync")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# Delay of every picture from capture to the canvas: both clocks are this machine's.
DELAYS = """() => {
  const found = [];
  const seen = globalThis.__delays ||= { last: 0, found };
  return seen.found.splice(0);
}"""
WATCH = """() => {
  const kept = globalThis.__delays = { last: 0, found: [] };
  setInterval(() => { for (const one of Object.values(vigie.state.pictures)) if (one.at > kept.last) {
    kept.last = one.at; kept.found.push(performance.timeOrigin + one.at - Date.parse(one.head.at)); } }, 20);
}"""
FIRST = "Object.values(vigie.state.pictures)[0]?.at || 0"


@dataclass
class Figures:
    """All of it; times in ms, CPU in percent of one core, memory in MB."""

    load: list[float] = field(default_factory=list)
    cores: int = os.cpu_count() or 0
    page_bytes: int = 0
    first_picture_ms: list[float] = field(default_factory=list)
    cpu: dict[str, dict[str, float]] = field(default_factory=dict)
    delay_ms: dict[str, list[float]] = field(default_factory=dict)
    pictures_per_s: dict[str, float] = field(default_factory=dict)
    memory: dict[str, Any] = field(default_factory=dict)


def processes(root: int) -> dict[str, int]:
    """The system's processes by the name of their module, as children of ``root``."""
    found: dict[str, int] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            command = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
        named = next((part for part in command if part.startswith(("vigie_edgehub", "vigie_"))), "")
        if parent == root and named:
            found["hub" if named.startswith("vigie_edgehub") else named.removeprefix("vigie_")] = int(folder.name)
    return found


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def pss_mb(pid: int) -> float:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    return int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)[1]) / 1024  # type: ignore[index]


def measure(pids: dict[str, int], seconds: float) -> dict[str, float]:
    before, began = {name: cpu_s(pids[name]) for name in COUNTED if name in pids}, time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    return {name: round(100 * (cpu_s(pids[name]) - value) / took, 2) for name, value in before.items()}


def opened(browser: Browser, address: str, figures: Figures) -> Page:
    page = browser.new_context(viewport={"width": 1000, "height": 800}).new_page()
    page.goto(address)
    while not (first := page.evaluate(FIRST)):
        time.sleep(0.02)
    figures.first_picture_ms.append(round(first, 1))
    figures.page_bytes = figures.page_bytes or page.evaluate(
        "[...performance.getEntriesByType('resource'), ...performance.getEntriesByType('navigation')]"
        ".reduce((sum, one) => sum + one.transferSize, 0)"
    )
    page.evaluate(WATCH)
    return page


def shares(values: list[float]) -> list[float]:
    cut = statistics.quantiles(values, n=20) if len(values) > 1 else [0.0] * 19
    return [round(cut[9], 1), round(cut[18], 1)]


def slope_per_hour(points: list[tuple[float, float]]) -> float:
    """Least squares; MB per hour of (seconds, MB)."""
    return round(statistics.linear_regression(*zip(*points, strict=True)).slope * 3600, 2)


def run(address: str, pids: dict[str, int], seconds: float, minutes: float) -> Figures:
    figures = Figures()
    figures.load.append(round(os.getloadavg()[0], 2))
    time.sleep(10)
    figures.cpu["0"] = measure(pids, seconds)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM)
        pages: list[Page] = []
        for wanted in (1, 4):
            while len(pages) < wanted:
                pages.append(opened(browser, address, figures))
            time.sleep(3)
            for page in pages:
                page.evaluate(DELAYS)
            figures.cpu[str(wanted)] = measure(pids, seconds)
            delays = [delay for page in pages for delay in page.evaluate(DELAYS)]
            figures.delay_ms[str(wanted)] = shares(delays)
            figures.pictures_per_s[str(wanted)] = round(len(delays) / wanted / seconds, 2)
            figures.load.append(round(os.getloadavg()[0], 2))
        for page in pages[1:]:
            page.context.close()
        figures.memory = memory(pages[0], pids["viewer"], minutes)
        browser.close()
    figures.load.append(round(os.getloadavg()[0], 2))
    return figures


def memory(page: Page, pid: int, minutes: float) -> dict[str, Any]:
    """PSS of the viewer and the page's heap after a collection, every half minute; slopes without the first quarter."""
    session = page.context.new_cdp_session(page)
    viewer: list[tuple[float, float]] = []
    heap: list[tuple[float, float]] = []
    began = time.monotonic()
    while (at := time.monotonic() - began) < 60 * minutes:
        session.send("HeapProfiler.collectGarbage")
        viewer.append((at, pss_mb(pid)))
        heap.append((at, session.send("Runtime.getHeapUsage")["usedSize"] / 1e6))
        page.evaluate(DELAYS)
        time.sleep(30)
    if len(viewer) < 8:
        return {}
    late = len(viewer) // 4
    return {
        "minutes": minutes,
        "viewer_mb": [round(viewer[late][1], 1), round(viewer[-1][1], 1)],
        "viewer_mb_per_hour": slope_per_hour(viewer[late:]),
        "heap_mb": [round(heap[late][1], 2), round(heap[-1][1], 2)],
        "heap_mb_per_hour": slope_per_hour(heap[late:]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each measurement of CPU")
    parser.add_argument("--minutes", type=float, default=20.0, help="of the measurement of memory")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        with home.running(SOURCE, "--viewer") as up:
            up.wait_until(lambda: re.search(r"vigie: page (\S+)", up.tail()), timeout_s=120, what="the page's address")
            address = re.findall(r"vigie: page (\S+)", up.log.read_text(encoding="utf-8"))[0]
            up.wait_until(lambda: up.upstream_count() > 0, timeout_s=180, what="the first events")
            time.sleep(30)  # choosing an engine is over
            print(json.dumps(asdict(run(address, processes(up.process.pid), asked.seconds, asked.minutes)), indent=1))


if __name__ == "__main__":
    main()
