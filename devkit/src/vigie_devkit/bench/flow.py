"""What `./vigie bench` does: each scenario as often as wanted, medians beside their bars, a page, a comparison.

Each scenario starts the real `up` (hub, modules, the unmodified SDK); how each figure is taken stands in `flow_cases`
and `beside`. The exit code does not depend on the bars: a busy machine misses them.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path

import msgspec

from vigie_devkit.bench.flow_cases import USUAL, Setting, cases
from vigie_devkit.bench.light_model import write_light_model
from vigie_devkit.bench.report import (
    Figure,
    FigureRow,
    comparison,
    fold,
    machine,
    markdown,
    plain,
    read_rows,
    rows_json,
)  # fmt: skip
from vigie_devkit.local.errors import Exit, UsageError
from vigie_devkit.local.product import ProductError, installed_launcher

_SECONDS, _QUICK_SECONDS = 20.0, 8.0


def run(args: argparse.Namespace) -> int:
    """Exit code 0: measured, whatever the bars say; 1: a scenario did not run.

    Raises: UsageError: a scenario or file that does not exist.
    """
    base = _base(args.compare)
    for file in (args.model, args.video):
        if file is not None and not file.exists():
            raise UsageError(f"{file} does not exist")
    failed = False
    gathered: list[list[Figure]] = []
    with tempfile.TemporaryDirectory(prefix="vigie-bench-", ignore_cleanup_errors=True) as made:
        folder = Path(made)
        setting = Setting(
            home=folder / "home",
            launcher=installed_launcher(),
            light=write_light_model(folder / "light.onnx"),
            seconds=_QUICK_SECONDS if args.quick else _SECONDS,
            model=args.model and args.model.resolve(),
            video=args.video and args.video.resolve(),
            made=folder,
        )
        known = cases(setting)
        for name in args.scenarios:
            if name not in known:
                near = get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}"
                raise UsageError(f"scenario {name!r} does not exist; {hint}")
        for name in args.scenarios or USUAL:
            for repeat in range(args.repeats):
                sys.stderr.write(f"bench: {name} {repeat + 1}, load {os.getloadavg()[0]:.1f}\n")
                try:
                    gathered.append(known[name]())
                except (ProductError, ValueError, OSError) as error:
                    failed = True
                    sys.stderr.write(f"bench: {name} did not run: {error}\n")
    _show(fold(gathered), base, args)
    return 1 if failed else Exit.OK


def _base(file: Path | None) -> list[FigureRow] | None:
    try:
        return None if file is None else read_rows(file)
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise UsageError(f"{file} is not what './vigie bench --json' prints: {error}") from error


def _show(rows: list[FigureRow], base: list[FigureRow] | None, args: argparse.Namespace) -> None:
    if args.output is not None:
        now = datetime.now(UTC).strftime("%Y-%m-%d")
        args.output.write_text(markdown(rows, machine=machine(), date=now, command=_command(args)), encoding="utf-8")
    if args.json:
        sys.stdout.write(rows_json(rows) + "\n")
        return
    sys.stdout.write(plain(rows) + "\n")
    if base is not None:
        sys.stdout.write(f"\nthen -> now, now over then ({args.compare.name}):\n{comparison(rows, base)}\n")


def _command(args: argparse.Namespace) -> str:
    """The command as anybody could give it: files by their names, not by where they lie here."""
    words = ["./vigie", "bench", *args.scenarios, *(["--quick"] if args.quick else [])]
    words += ["--repeats", str(args.repeats)] if args.repeats > 1 else []
    for option in ("model", "video", "output"):
        if (file := getattr(args, option)) is not None:
            words += [f"--{option}", file.name]
    return shlex.join(words)
