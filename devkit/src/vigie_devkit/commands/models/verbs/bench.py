"""``vigie models bench``: every candidate of this machine for a bundle, measured and judged."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vigie.terminal import show_text
from vigie_devkit.commands.models.arguments import count, number, say
from vigie_devkit.verb import add_verb_parser

if TYPE_CHECKING:
    from vigie.runtimes.choosing.named_delegate import NamedDelegate
    from vigie.runtimes.choosing.objective import Kind

EXAMPLE = "./vigie models bench conveyor-parts --objective latency"


def add_verb(verbs: Any) -> None:
    verb = add_verb_parser(
        verbs, "bench", "what runs a bundle best on this machine, and where its time goes", EXAMPLE, _bench
    )
    verb.add_argument("bundle", help="a bundle folder or a name from 'list'")
    verb.add_argument("--objective", choices=("auto", "latency", "throughput", "energy"), default="auto")
    verb.add_argument("--engines", help="only these, separated by commas: onnxruntime, openvino, ...")
    verb.add_argument("--variants", help="only these, separated by commas")
    verb.add_argument("--accuracy-floor", type=_share, help="least agreement with the reference, 0 to 1")
    verb.add_argument("--processes", type=count, default=5, metavar="N", help="fresh processes a candidate (default 5)")
    verb.add_argument("--emulation", action="store_true", help="software models of devices too; speed says nothing")
    verb.add_argument("--remote", metavar="URL", help="an inference server that has the model too (docs/runtimes.md)")
    verb.add_argument("--remote-model", metavar="NAME", help="its name on that server (default: the bundle's)")
    verb.add_argument("--delegate", metavar="FILE", help="a vendor's delegate library for .tflite variants")
    verb.add_argument(
        "--delegate-option",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="an option of --delegate; may be repeated",
    )
    verb.add_argument(
        "--mlperf",
        choices=("single-stream", "multi-stream", "offline"),
        help="one candidate under MLPerf's LoadGen, which keeps its own logs",
    )
    verb.add_argument(
        "--candidate", metavar="KEY", help="what --mlperf asks, as the table names it (default: the best)"
    )
    verb.add_argument(
        "--seconds", type=count, default=60, metavar="N", help="length of --mlperf (default: 60; MLPerf's rule: 600)"
    )
    verb.add_argument(
        "--logs", type=Path, metavar="FOLDER", help="folder of LoadGen's logs with --mlperf (default: mlperf-logs)"
    )
    verb.add_argument("--json", action="store_true", help="one JSON object on stdout")


def _bench(args: argparse.Namespace) -> int:
    import msgspec

    from vigie.models import load_bundle
    from vigie.runtimes.choosing.objective import Objective, Selection
    from vigie_devkit.models.bench import BenchResult, bench_bundle, describe
    from vigie_devkit.models.shelf import find_on_shelf

    require = Selection(engines=_names(args.engines), variants=_names(args.variants))
    objective = Objective(kind=args.objective, accuracy_floor=args.accuracy_floor, require=require)
    folder = find_on_shelf(args.bundle)
    remote = None
    if args.remote:
        remote = {"url": args.remote, "model": args.remote_model or load_bundle(folder).card.name}
    more: dict[str, Any] = {"remote": remote, "delegate": _delegate(args), "emulation": args.emulation}

    def measure(wanted: Objective) -> BenchResult:
        return bench_bundle(folder, wanted, processes=args.processes, say=say, **more)

    if args.mlperf:
        return _mlperf(args, folder, lambda kind: measure(msgspec.structs.replace(objective, kind=kind)).chosen, more)
    result = measure(objective)
    if args.json:
        print(msgspec.json.encode(result).decode())
    else:
        show_text(describe(result))
    return 0 if result.chosen is not None else 1


def _mlperf(args: argparse.Namespace, folder: Path, best: Callable[[Kind], str | None], more: Mapping[str, Any]) -> int:
    """Args: best: what a bench chooses for that aim. more: candidates beside this machine's own."""
    import msgspec

    from vigie.models import load_bundle
    from vigie_devkit.models.loadgen import candidate_named, describe, run_loadgen

    bundle, key = load_bundle(folder), args.candidate
    if key is None:
        key = best("latency" if args.mlperf == "single-stream" else "throughput")
        if key is None:
            say("no candidate may serve; the same command without --mlperf says why")
            return 1
    candidate = candidate_named(bundle, key, **more)
    logs = args.logs or Path("mlperf-logs") / f"{bundle.card.name}-{args.mlperf}"
    say(f"{key}: {args.mlperf} for {args.seconds} s")
    result = run_loadgen(bundle, candidate, args.mlperf, seconds=args.seconds, logs=logs)
    if args.json:
        print(msgspec.json.encode(result).decode())
    else:
        show_text(describe(result))
    return 0


def _delegate(args: argparse.Namespace) -> NamedDelegate | None:
    """Who types the path of a library may load it: its folder is allowed for the engines of this command."""
    from vigie.runtimes.choosing.named_delegate import NamedDelegate
    from vigie.runtimes.engines.litert_delegate import VARIABLE
    from vigie_devkit.local.errors import LocalError

    wrong = [text for text in args.delegate_option if not text.partition("=")[0] or "=" not in text]
    if wrong or (args.delegate_option and not args.delegate):
        wanted = f"expected NAME=VALUE, got {wrong[0]!r}" if wrong else "is for --delegate, which names the library"
        raise LocalError(f"--delegate-option: {wanted}")
    if not args.delegate:
        return None
    library = Path(args.delegate).resolve()
    os.environ.setdefault(VARIABLE, str(library.parent))
    options = {name: value for name, _, value in (text.partition("=") for text in args.delegate_option)}
    return NamedDelegate(str(library), "NPU", options)


def _names(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(name.strip() for name in text.split(",") if name.strip()) or None


def _share(text: str) -> float:
    return number(text, 0, 1, "a share from 0 to 1")
