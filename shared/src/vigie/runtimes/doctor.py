"""What could run a model on this machine, why the rest cannot, and how to get more: for people and for programs.

Inside a container: ``python -m vigie.runtimes.doctor [BUNDLE] [--json]``. On a laptop: ``./vigie doctor``.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from vigie.errors import VigieError
from vigie.models import Bundle, load_bundle
from vigie.plurals import counted
from vigie.runtimes.candidate import Candidate
from vigie.runtimes.choosing.candidates import Rejected, candidates
from vigie.runtimes.choosing.known_choice import KnownChoice, known_choice
from vigie.runtimes.choosing.purpose import Purpose, purposes
from vigie.runtimes.hardware import HardwareReport, probe
from vigie.runtimes.hardware.text import report_lines
from vigie.terminal import show_text


class Diagnosis(msgspec.Struct, frozen=True):
    """``tried``: the candidates that would be measured, by key. ``model``: empty if no bundle was named.

    ``known``: what an earlier start measured on this same ground, and what follows from it; None if nothing was.
    ``image``: what the image that this runs in was made for; empty outside inference's images.
    """

    hardware: HardwareReport
    model: str
    tried: tuple[Candidate, ...]
    rejected: tuple[Rejected, ...]
    known: KnownChoice | None = None
    image: tuple[Purpose, ...] = ()


def diagnose(
    bundle: Bundle | None, measurements: Path | None = None, *, report: HardwareReport | None = None
) -> Diagnosis:
    """Look at this machine and, with a bundle, at what of it could run the model.

    Args: measurements: the folder where the inference module keeps what it measured.
    """
    found = probe(ask=True) if report is None else report
    if bundle is None:
        return Diagnosis(found, "", (), (), image=purposes(found))
    tried, rejected = candidates(found, bundle.card)
    known = None if measurements is None else known_choice(bundle, found, measurements)
    return Diagnosis(found, bundle.card.name, tuple(tried), tuple(rejected), known, purposes(found))


def diagnosis_lines(diagnosis: Diagnosis) -> Iterator[str]:
    """The report and the image, then what would be tried, then what would not and how to change that."""
    yield from report_lines(diagnosis.hardware)
    yield from _image_lines(diagnosis)
    if not diagnosis.model:
        return
    yield from _known_lines(diagnosis)
    yield ""
    yield f"would be measured for {diagnosis.model}:"
    width = max((len(candidate.key) for candidate in diagnosis.tried), default=0)
    for candidate in diagnosis.tried:
        engine = f"{candidate.engine}, {counted(candidate.threads, 'thread')}"
        engine += f", {candidate.runs} runs at a time" if candidate.runs > 1 else ""
        yield f"  {candidate.key:{width}}  {engine}"
    if not diagnosis.tried:
        yield "  nothing"
    to_change = [one for one in diagnosis.rejected if one.remedy]
    if to_change:
        yield ""
        yield "not measured, and what would change that:"
        width = max(len(one.key) for one in to_change)
        for one in to_change:
            yield f"  {one.key:{width}}  {one.reason}"
            yield f"  {'':{width}}  -> {one.remedy}"
    rest: dict[str, list[str]] = {}
    for one in diagnosis.rejected:
        if one not in to_change:
            rest.setdefault(one.reason, []).append(one.key)
    if rest:
        yield ""
        yield "not possible here:"
        for reason, keys in rest.items():
            yield f"  {reason}: {', '.join(keys)}"


def _image_lines(diagnosis: Diagnosis) -> Iterator[str]:
    image = diagnosis.hardware.image
    if image is None:
        return
    yield ""
    yield f"this is the image {image.name} {image.version} for {image.key}, made for:"
    width = max((len(purpose.what) for purpose in diagnosis.image), default=0)
    for purpose in diagnosis.image:
        state = f"not here: {purpose.why_not}" if purpose.why_not else "can be used here"
        yield f"  {purpose.what:{width}}  {purpose.title}: {state}"
        if purpose.remedy:
            yield f"  {'':{width}}  -> {purpose.remedy}"
    if not diagnosis.image:
        yield "  work without a model"


def _known_lines(diagnosis: Diagnosis) -> Iterator[str]:
    known = diagnosis.known
    yield ""
    if known is None:
        yield f"not measured here yet: which of them serves {diagnosis.model}"
        return
    yield f"would serve {diagnosis.model}: {known.chosen or 'nothing'} (measured {known.measured_at})"
    for reason in known.reasons:
        yield f"  {reason}"
    for rejection in known.rejected:
        yield f"  not {rejection.candidate}: {rejection.reason}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command inside a container; 0, or 3 with one sentence."""
    parser = argparse.ArgumentParser(prog="python -m vigie.runtimes.doctor", description=__doc__)
    parser.add_argument("bundle", nargs="?", type=Path, help="a bundle folder")
    parser.add_argument("--measurements", type=Path, help="where the module keeps what it measured")
    parser.add_argument("--json", action="store_true", help="one object for programs")
    args = parser.parse_args(arguments)
    try:
        bundle = load_bundle(args.bundle) if args.bundle else None
        diagnosis = diagnose(bundle, args.measurements or _module_folder(os.environ))
    except VigieError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    show_diagnosis(diagnosis, as_json=args.json)
    return 0


def _module_folder(environ: Mapping[str, str]) -> Path | None:
    """Where the module of this container keeps its measurements."""
    folder = environ.get("VIGIE_RUNTIMES") or environ.get("VIGIE_STATE")
    return Path(folder) if folder else None


def show_diagnosis(diagnosis: Diagnosis, *, as_json: bool) -> None:
    """All of it on stdout, in lines that fit a terminal or as one JSON object."""
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(diagnosis)).decode() + "\n")
    else:
        show_text("\n".join(diagnosis_lines(diagnosis)))


if __name__ == "__main__":
    raise SystemExit(main())
