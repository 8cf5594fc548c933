"""Help at the width of the terminal: what follows the options is laid out anew where a line of it would not fit."""

from __future__ import annotations

import argparse
import re
import textwrap

_ENTRY = re.compile(r"(\s+)(\S.*?)\s{2,}(\S.*)")
_WORD = r"(?:[^\s'\"]|'[^']*'|\"[^\"]*\")+"
_PART = re.compile(rf"--?[\w-]+ (?!-){_WORD}|{_WORD}")  # an option stays with its value
_CODE_CHARACTERS = 6  # as wide as the number in front of an exit code's meaning, at most


class HelpText(argparse.RawDescriptionHelpFormatter):
    """Argparse calls ``_fill_text`` with what stands before and behind the options; ``width`` is in characters."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(f"{indent}{line}".rstrip() for line in laid_out(text, width - len(indent)))


def laid_out(text: str, width: int) -> list[str]:
    """The lines of ``text``, as written where every line of a block fits.

    In a block that is too wide a command has its explanation on the line below it, and sentences are filled.
    """
    found: list[str] = []
    for block in re.split(r"\n{2,}", text.strip("\n")):
        lines = block.split("\n")
        if found:
            found.append("")
        found += lines if all(len(line) <= width for line in lines) else _block(lines, width)
    return found


def _block(lines: list[str], width: int) -> list[str]:
    """Lines with an indent are entries; those without one are sentences, which go on in the next line."""
    found: list[str] = []
    sentence: list[str] = []
    for line in [*lines, ""]:
        if line and not line.startswith(" ") and not line.endswith(":"):
            sentence.append(line)
            continue
        if sentence:
            found += _wrapped(" ".join(sentence), width, "", "")
            sentence = []
        if line:
            found += _entry(line, width) if line.startswith(" ") else [line]
    return found


def _entry(line: str, width: int) -> list[str]:
    match = _ENTRY.fullmatch(line)
    if match is None:
        indent = line[: len(line) - len(line.lstrip())]
        return _command(line.strip(), width, indent)
    indent, what, why = match.groups()
    if len(what) <= _CODE_CHARACTERS:
        start = f"{indent}{what}  "
        return _wrapped(why, width, start, " " * len(start))
    return [*_command(what, width, indent), *_wrapped(why, width, f"{indent}    ", f"{indent}    ")]


def _command(words: str, width: int, indent: str) -> list[str]:
    """A command that is too long goes on behind a backslash, never within quotes: it can be copied as it is shown."""
    if len(indent) + len(words) <= width or not words.startswith("./vigie"):
        return _wrapped(words, width, indent, indent)
    lines: list[str] = []
    room = width - len(indent) - len(" \\")
    for part in _PART.findall(words):
        if lines and len(lines[-1]) + 1 + len(part) <= room:
            lines[-1] += f" {part}"
        else:
            lines.append(f"        {part}" if lines else part)
    return [f"{indent}{line} \\" for line in lines[:-1]] + [f"{indent}{lines[-1]}"]


def _wrapped(text: str, width: int, first: str, further: str) -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=further, break_long_words=False, break_on_hyphens=False
    )
