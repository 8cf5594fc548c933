"""The whole product against its bars: ``python -m vigie_devkit.bench.flow [--quick] [--only CASE] [--json]``.

Starts the real `up` (hub, four modules, the unmodified SDK) for each case and compares with DESIGN section 6; how
each figure is taken stands in `flow_cases`. Without ``--model`` only a model of almost no cost is used, so no data is
needed.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from vigie_devkit.bench.flow_cases import Setting, cases
from vigie_devkit.bench.light_model import write_light_model
from vigie_devkit.bench.product import BenchError, installed_launcher
from vigie_devkit.bench.report import Figure, fold, machine, markdown, plain
from vigie_devkit.local.paths import CHECKOUT


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m vigie_devkit.bench.flow", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short windows, one repeat: does it work?")
    parser.add_argument("--only", action="append", metavar="CASE", help="this case; may be given several times")
    parser.add_argument("--repeats", type=int, metavar="N", help="runs of each case (default 3, with --quick 1)")
    parser.add_argument("--model", type=Path, metavar="FILE", help="a detector, such as yolox_nano.onnx")
    parser.add_argument("--video", type=Path, metavar="FILE", help="what cameras look at (default: rendered scenes)")
    parser.add_argument("--bootstrap", action="store_true", help="start by ./vigie, not by this Python")
    parser.add_argument("--json", action="store_true", help="rows as JSON on stdout")
    parser.add_argument("--output", type=Path, metavar="FILE", help="also write the Markdown page there")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Exit code 0: measured, whatever the bars say; 1: a case did not run."""
    wanted = parse(arguments)
    failed = False
    gathered: list[list[Figure]] = []
    with tempfile.TemporaryDirectory(prefix="vigie-bench-", ignore_cleanup_errors=True) as made:
        setting = Setting(
            home=Path(made) / "home",
            launcher=[str(CHECKOUT / "vigie")] if wanted.bootstrap else installed_launcher(),
            light=write_light_model(Path(made) / "light.onnx"),
            seconds=8.0 if wanted.quick else 20.0,
            model=wanted.model and wanted.model.resolve(),
            video=wanted.video and wanted.video.resolve(),
        )
        chosen = cases(setting)
        for name in wanted.only or chosen:
            if name not in chosen:
                sys.stderr.write(f"bench: there is no case '{name}'; there are {', '.join(chosen)}\n")
                return 2
            for repeat in range(wanted.repeats or (1 if wanted.quick else 3)):
                sys.stderr.write(f"bench: {name} {repeat + 1}, load {os.getloadavg()[0]:.1f}\n")
                try:
                    gathered.append(chosen[name]())
                except (BenchError, ValueError, OSError) as error:
                    failed = True
                    sys.stderr.write(f"bench: {name} did not run: {error}\n")
    rows = fold(gathered)
    if wanted.output is not None:
        command = shlex.join(["python", "-m", "vigie_devkit.bench.flow", *_nameable(arguments)])
        now = datetime.now(UTC).strftime("%Y-%m-%d")
        wanted.output.write_text(markdown(rows, machine=machine(), date=now, command=command), encoding="utf-8")
    if wanted.json:
        sys.stdout.write(json.dumps([{**msgspec.to_builtins(row), "verdict": row.verdict} for row in rows]) + "\n")
    else:
        sys.stdout.write(plain(rows) + "\n")
    return 1 if failed else 0


def _nameable(arguments: Sequence[str]) -> list[str]:
    """The command as anybody could give it: files by their names, not by where they lie here."""
    return [Path(word).name if "/" in word else word for word in arguments]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
