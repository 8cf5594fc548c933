"""A child of ``vigie_devkit.local.model_desk``: imports one file that somebody dropped on the page, and nothing else.

A stranger's file meets parsers in C++. So this process gives up the network, other programs, and all files but its
own folder and its libraries before it opens it; memory, time and size are bounded. One JSON line in, one out.
"""

from __future__ import annotations

import errno
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from vigie.contracts.dropped import DROPPED_BYTES_MAX, DroppedAnswer, ImportChoices, ImportConclusion, ImportedModel
from vigie.errors import VigieError
from vigie.sandbox.landlock import restrict
from vigie.sandbox.module import NO_MORE_PROCESSES
from vigie.sandbox.program import Denied
from vigie.sandbox.seccomp import forbid
from vigie.sandbox.syscalls import INCOMING, KERNEL, SIGNALS_BY_OTHER_WAYS

LANDLOCK, SECCOMP = "landlock", "seccomp"
ADDRESS_SPACE_BYTES: Final = 8 << 30
CPU_S: Final = 600
_FILES_MAX = 128
_LIBRARIES: Final = ("/usr", "/lib", "/lib64", "/opt/vigie")
# What numerical libraries and the C library ask about the machine.
_SYSTEM: Final = (
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/dev/null",
    "/dev/zero",
    "/dev/random",
    "/dev/urandom",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/self",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/sys/fs/cgroup",
)


class ImportTask(msgspec.Struct, frozen=True):
    """``folder``: holds ``file`` and gets the bundle; everything else is out of reach."""

    folder: str
    file: str
    sha256: str
    choices: ImportChoices


def confine(folder: Path) -> tuple[str, ...]:
    """Give up what an import does not need, for good. Returns: what holds. Raises: OSError: seccomp does not."""
    for limit, most in (
        (resource.RLIMIT_AS, ADDRESS_SPACE_BYTES),
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_FSIZE, 3 * DROPPED_BYTES_MAX),
        (resource.RLIMIT_NOFILE, _FILES_MAX),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(limit)[1]
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (allowed, allowed))
    os.nice(10)
    with suppress(OSError):
        # Where memory runs out, the kernel ends this and no module.
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    in_force = []
    with suppress(OSError):
        if restrict(_readable(), tcp_ports=(), writable=(folder,)):
            in_force.append(LANDLOCK)
    forbid([
        Denied((*KERNEL, *SIGNALS_BY_OTHER_WAYS, *INCOMING)),
        *NO_MORE_PROCESSES,
        Denied(("kill", "tgkill")),
        Denied(("socket",), errno.EAFNOSUPPORT),
        Denied(("setrlimit",)),
    ])  # fmt: skip
    return (*in_force, SECCOMP)


def import_dropped(task: ImportTask, confined: tuple[str, ...]) -> DroppedAnswer:
    """By the same evidence as ``models import``. Its refusals are answers, with what may be chosen."""
    from vigie_devkit.models.evidence.spelling import RANGES
    from vigie_devkit.models.recognise import family_names

    families, inputs = list(family_names()), [f"{order}/{span}" for order in ("rgb", "bgr") for span in RANGES]
    folder = Path(task.folder)
    try:
        imported = _import(task, folder, confined)
    except (VigieError, ValueError) as error:
        reason = str(error).replace(f"{folder / task.file}", task.file).replace(f"{folder}/", "")
        return DroppedAnswer(reason, None, families, inputs)
    return DroppedAnswer("", imported, families, inputs)


def _import(task: ImportTask, folder: Path, confined: tuple[str, ...]) -> ImportedModel:
    from vigie.models import load_bundle
    from vigie_devkit.commands.models.arguments import size_hw
    from vigie_devkit.models.evidence.spelling import input_fields
    from vigie_devkit.models.importer import import_model
    from vigie_devkit.models.unpack import unpacked
    from vigie_devkit.models.writer import bundle_name

    choices, name = task.choices, bundle_name(Path(task.file))
    feed: dict[str, Any] = {} if choices.input is None else input_fields(choices.input)
    if choices.align is not None:
        feed["align"] = choices.align
    with unpacked(folder / task.file) as (onnx_file, packed_labels):
        written = import_model(
            onnx_file,
            folder / "bundle" / name,
            labels=tuple(choices.labels) if choices.labels else packed_labels,
            name=name,
            family=choices.family,
            feed=feed,
            size_hw=None if choices.size is None else size_hw(choices.size),
            trust=choices.trust,
        )
    card = load_bundle(written).card
    return ImportedModel(
        name=card.name,
        path=str(written),
        sha256=task.sha256,
        task=card.task,
        family=card.decoder.family,
        size=f"{card.input.width}x{card.input.height}",
        labels=list(card.labels),
        concluded=[ImportConclusion(one.question, one.answer, one.because) for one in card.source.concluded],
        confined=list(confined),
    )


def _readable() -> Iterator[Path]:
    yield from map(Path, (*_LIBRARIES, *_SYSTEM, sys.prefix, sys.base_prefix))
    yield from (Path(entry) for entry in sys.path if entry)  # where a development checkout is installed from


def main() -> int:
    task = msgspec.json.decode(sys.stdin.buffer.readline(), type=ImportTask)
    # Libraries before the bounds: they look at more of the machine than an import needs.
    import vigie_devkit.models.importer
    import vigie_devkit.models.unpack  # noqa: F401

    answer = import_dropped(task, confine(Path(task.folder)))
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
