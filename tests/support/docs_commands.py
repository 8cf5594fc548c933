"""The commands that a reader of README and docs would type, read from the pages themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^(\s*)(```+|~~~+)\s*(\w*)")
# In a block that is not marked `sh`, what begins like this is a command and the rest is what it shows.
_COMMAND = re.compile(
    r"^(?:\./vigie|docker|docker-compose|az|sudo|pip|python3?|curl|export|eval|cat|cd|cp|diff|printf|head|openssl|"
    r"iotedge|chmod|until|kill|\.venv/bin/\S+|[A-Z][A-Z_0-9]*=\S+\s+\S+)\s"
)
_HEREDOC = re.compile(r"<<-?\s*['\"]?(\w+)['\"]?")
_SHELL = {"sh", "bash", "shell"}
_DATA = {"json", "yaml", "toml", "python", "js", "ini"}


@dataclass(frozen=True)
class Command:
    """``page``: path in the checkout; ``line``: its first line there; ``text``: as typed, without a comment."""

    page: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.text}"


def pages(root: Path = ROOT) -> list[Path]:
    """What a user reads, in the order in which he would."""
    return [
        root / "README.md",
        *sorted((root / "docs").glob("*.md")),
        *sorted((root / "docs/benchmarks").glob("*.md")),
        *sorted((root / "modules").glob("*/README.md")),
        *sorted((root / "devkit").glob("**/README.md")),
        root / "shared/README.md",
        root / "deploy/README.md",
        root / "CONTRIBUTING.md",
        root / "SECURITY.md",
    ]


def all_commands(root: Path = ROOT) -> list[Command]:
    return [
        Command(str(page.relative_to(root)), line, text)
        for page in pages(root)
        if page.is_file()
        for line, text in commands_of(page.read_text(encoding="utf-8"))
    ]


def commands_of(page: str) -> Iterator[tuple[int, str]]:
    """Line number and text of each command of fenced and indented blocks."""
    for first, kind, lines in _blocks(page):
        if kind in _DATA:
            continue
        for at, text in _statements(lines):
            typed = text.removeprefix("$ ")
            if kind in _SHELL or _COMMAND.match(f"{typed} "):
                yield first + at, _without_comment(typed)


def _blocks(page: str) -> Iterator[tuple[int, str, list[str]]]:
    """First line's number, language (empty for an indented block) and lines of every block of code."""
    lines = page.split("\n")
    at = 0
    while at < len(lines):
        fence = _FENCE.match(lines[at])
        if fence:
            end = next(i for i in range(at + 1, len(lines)) if lines[i].strip().startswith(fence[2]))
            yield at + 2, fence[3] or "text", [line.removeprefix(fence[1]) for line in lines[at + 1 : end]]
            at = end + 1
        elif lines[at].startswith("    ") and (at == 0 or not lines[at - 1].strip()):
            end = at
            while end < len(lines) and (lines[end].startswith("    ") or not lines[end].strip()):
                end += 1
            indent = len(lines[at]) - len(lines[at].lstrip())
            yield at + 1, "", [line[indent:] for line in lines[at:end]]
            at = end
        else:
            at += 1


def _statements(lines: list[str]) -> Iterator[tuple[int, str]]:
    """What a shell would read as one: continued lines, open quotes and here-documents joined."""
    at = 0
    while at < len(lines):
        begun, text = at, lines[at]
        at += 1
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        while at < len(lines) and (text.endswith("\\") or _open_quote(text)):
            text += "\n" + lines[at]
            at += 1
        heredoc = _HEREDOC.search(text)
        while heredoc and at < len(lines) and text.rpartition("\n")[2] != heredoc[1]:
            text += "\n" + lines[at]
            at += 1
        yield begun, text


def _open_quote(text: str) -> bool:
    return bool(_quoted(text)[1])


def _without_comment(text: str) -> str:
    """Up to a ``#`` that stands outside of quotes after a blank; a here-document stays whole."""
    if "\n" in text:
        return text.rstrip()
    return text[: _quoted(text)[0]].rstrip()


def _quoted(text: str) -> tuple[int, str]:
    """Where a comment begins (else the length), and the quote that is open at the end (else empty)."""
    quote = ""
    for index, character in enumerate(text):
        if quote:
            if character == quote:
                quote = ""
        elif character in "'\"" and text[index - 1 : index] != "\\":
            quote = character
        elif character == "#" and text[index - 1 : index].isspace():
            return index, ""
    return len(text), quote
