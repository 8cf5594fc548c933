"""Walks sessions of `tests/docs_walk.txt`: one shell per session, in a folder like a fresh checkout, in a terminal."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import onnx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from support import models
from support.data import real_input
from support.docs_commands import ROOT
from support.terminal import too_wide
from support.walk_terminal import Terminal, plain

REGISTRY = ROOT / "tests/docs_walk.txt"
WITHIN_S = 240.0
_NOT_LINKED = {".git", ".venv", ".vigie", ".mypy_cache", ".ruff_cache", ".pytest_cache"}


@dataclass(frozen=True, kw_only=True)
class Step:
    """``do``: as printed; ``used``: words of it that stand for something else here. The rest: see the file's head."""

    do: str
    shows: str = ""
    code: int = 0
    until: str | None = None
    makes: str = ""
    fits: str = ""
    again: str = ""
    used: Mapping[str, str] = field(default_factory=dict)

    @property
    def typed(self) -> str:
        text = self.do
        for word, here in self.used.items():
            text = text.replace(word, here)
        return text


@dataclass(frozen=True)
class Session:
    name: str
    stage: str
    files: Mapping[str, str]
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Registry:
    """``tested``: command to the test that runs it; ``not_here``: command (or beginning and ``*``) to the reason."""

    sessions: tuple[Session, ...]
    tested: Mapping[str, str]
    not_here: Mapping[str, str]


def registry() -> Registry:
    """Raises: ValueError: a line that says nothing."""
    sessions: list[Session] = []
    tested: dict[str, str] = {}
    not_here: dict[str, str] = {}
    text = re.sub(r"^#.*\n", "", REGISTRY.read_text(encoding="utf-8"), flags=re.MULTILINE)
    for part in text.split("\n== ")[1:]:
        head, _, body = part.partition("\n")
        files = dict(re.findall(r"^(\S+) <- (.*)$", body, re.MULTILINE))
        steps = tuple(_steps(body))
        if head.startswith("tested "):
            tested |= {step.do: head.removeprefix("tested ") for step in steps}
        elif head.startswith("not here: "):
            not_here |= {step.do: head.removeprefix("not here: ") for step in steps}
        elif found := re.fullmatch(r"([\w-]+) \((default|long|docker)\)", head):
            sessions.append(Session(found[1], found[2], files, steps))
        else:
            raise ValueError(f"{REGISTRY.name}: {head!r} heads nothing")
    return Registry(tuple(sessions), tested, not_here)


def _steps(body: str) -> Iterator[Step]:
    for part in f"\n{body}".split("\n$ ")[1:]:
        typed, facts = [], {}
        for number, line in enumerate(part.splitlines()):
            if number == 0 or line.startswith("> "):
                typed.append(line.removeprefix("> "))
            elif line.strip():
                key, _, value = line.strip().partition(":")
                facts[key] = value.strip()
        word, _, here = facts.pop("as", "").partition(" => ")
        facts["code"] = int(facts.get("code", 0))  # type: ignore[assignment]
        yield Step(do="\n".join(typed), used={word: here} if word else {}, **facts)  # type: ignore[arg-type]


def sessions(stage: str) -> list[Session]:
    return [one for one in registry().sessions if one.stage == stage]


def walk(
    session: Session,
    folder: Path,
    environ: Mapping[str, str] | None = None,
    *,
    cloned: bool = False,
    within_s: float = WITHIN_S,
) -> None:
    """``within_s``: for each command; ``cloned``: in a clone with an environment of its own. Nothing runs afterwards.

    Raises: AssertionError: a command does not do what the page says.
    """
    if cloned:
        folder = folder / "vigie"
        subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
        environ = {"PATH": os.environ["PATH"], "VIGIE_HOME": "", "VIGIE_VENV": "", **(environ or {})}
    else:
        link(folder)
    prepare(session, folder)
    with Terminal(folder, environ or {}, within_s=within_s) as shell:
        others: list[Terminal] = []
        try:
            for number, step in enumerate(session.steps):
                columns = (80, 200)[number % 2]
                if step.until is not None:
                    other = Terminal(
                        folder, environ or {}, typed=step.typed, columns=columns, within_s=within_s
                    ).__enter__()
                    others.append(other)
                    other.wait_for(step.until)
                    continue
                code, shown = shell.run(step.typed, columns)
                deadline = time.monotonic() + within_s
                while step.again and re.search(step.again, plain(shown)) and time.monotonic() < deadline:
                    time.sleep(1)  # as the reader does whom the answer tells that it is too early
                    code, shown = shell.run(step.typed, columns)
                _judge(step, columns, code, shown, folder)
        finally:
            for other in reversed(others):
                other.__exit__()


def _judge(step: Step, columns: int, code: int, shown: str, folder: Path) -> None:
    said = f"{step.typed}\n({columns} columns, exit code {code})\n{shown[-4000:]}"
    assert code == step.code, said
    assert "Traceback" not in shown, said
    assert re.search(step.shows, plain(shown), re.MULTILINE), f"does not show {step.shows!r}: {said}"
    assert not step.makes or (folder / step.makes).exists(), f"does not make {step.makes}: {said}"
    assert not step.fits or too_wide(shown, columns) == [], said


def link(folder: Path) -> None:
    """What a checkout has, by links, and the environment of the tests."""
    for entry in ROOT.iterdir():
        if entry.name not in _NOT_LINKED and not (folder / entry.name).exists():
            (folder / entry.name).symlink_to(entry)
    (folder / ".venv").symlink_to(Path(sys.prefix))


def prepare(session: Session, folder: Path) -> None:
    """The session's own files."""
    for name, what in session.files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if what in {"clip", "yolox"}:
            file.symlink_to(real_input({"clip": "bottle-detection.mp4", "yolox": "yolox_nano.onnx"}[what]))
        elif what == "detector":
            onnx.save(models.yolov8((96, 96), metadata=models.ultralytics_metadata(imgsz="[96, 96]")), file)
        elif what == "open detector":
            onnx.save(models.yolov8(None, metadata=models.ultralytics_metadata()), file)
        elif what == "labels":
            file.write_text("\n".join(models.NAMES) + "\n")
        elif what == "public key":
            own = Ed25519PrivateKey.generate().public_key()
            file.write_bytes(own.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        elif what.startswith("block "):
            file.write_text(block(what.removeprefix("block "), name))
        else:
            file.write_text(what)


def block(page: str, name: str) -> str:
    """The block of code that follows the first mention of the file ``name`` at the end of a page's sentence."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.search(rf"`{re.escape(name)}`[^\n]*\n(?:[^\n`]+\n)*\n```\w+\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert found, f"{page} has no {name}"
    return found[1]
