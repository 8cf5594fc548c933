"""Phrases that docs/writing.md retires, as patterns, and where a reader would meet them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from support.docs_commands import ROOT, pages

_UNIT = (
    r"(?:CPU|GB|MB|KB|bytes?|[mnu]?s|frames?|pictures?|messages?|lines?|items?|tokens?|events?|words?|objects?|one|each|"
    r"requests)"
)
_EACH = (
    r"(?:second|minute|hour|day|frame|picture|message|camera|module|line|run|file|image|box|variant|candidate|process)"
)
RETIRED: tuple[tuple[str, str, str], ...] = (
    # what a reader meets, what it matches by, what to write instead
    ("is no JSON", r"(?<!there )\b(?:is|are) no (?!longer|more\b|other\b|wider\b|one\b)\w+", "is not valid JSON"),
    ("is none", r"(?<!there )\b(?:is|are) (?-i:none)\b", "is missing, is not one"),
    ("mend its rights", r"\bmend(?:s|ed|ing|able)?\b", "fix its permissions"),
    ("in silence", r"\bin silence\b", "silently, or the effect"),
    ("held against", r"\bheld against\b", "compared with"),
    ("likewise", r"\blikewise\b", "repeat what it is like"),
    ("nothing to say", r"\bnothing to say\b", "no findings"),
    ("as was said", r"\b(?:is|are|was|were|been|be) said\b", "logged, reported, stated"),
    ("CPU a frame", rf"\b{_UNIT} an? {_EACH}\b", "CPU per frame"),
    ("is there already", r"\bis there already\b", "already exists"),
    ("a ring of nodes", r"\brings? of nodes\b", "a cycle"),
    ("one of whose", r"\bone of whose\b", "rewrite with 'that has'"),
    ("keep to ranges", r"\bkeeps? to (?:ranges?|the rule)\b", "ignores Range requests"),
    ("so many bytes", r"\bso many (?:bytes|frames|seconds|of)\b", "this many, or the number"),
    ("wants to be", r"\bwants (?:to be|none|no)\b", "needs, must be"),
    ("in the place of", r"\bin the place of\b", "instead of"),
    ("tells of itself", r"\b(?:says?|tells?|told) of (?:itself|themselves|it|them)\b", "reports about itself"),
    ("out of the question", r"\bout of the question\b", "not possible here"),
    ("several are several", r"\bseveral are several\b", "rewrite"),
)
_CONTINUES = re.compile(
    r"(?:of|that|which|becomes|and|or|for|in|with|as|from|by|to|into|on|subtracted|divided)\b", re.IGNORECASE
)
PATTERNS = [(name, re.compile(pattern, re.IGNORECASE), use) for name, pattern, use in RETIRED]


def retired_in(text: str) -> list[str]:
    """What of ``text`` is retired, each with what to write instead."""
    flat = re.sub(r"\s+", " ", text)
    return [f"{match[0]!r}: write {use!r}" for _, pattern, use in PATTERNS for match in pattern.finditer(flat)]


def read_pages() -> Iterator[tuple[str, str]]:
    """Place and text of every paragraph that a user reads; code and decisions are left out."""
    for page in pages():
        if not page.is_file() or page.name == "writing.md":
            continue
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for part in re.split(r"\n(?=\n|\|)", text):
            yield str(page.relative_to(ROOT)), re.sub(r"`[^`\n]*`", "`code`", part)


def read_sources() -> Iterator[tuple[str, str]]:
    """Place and text of every string of the product that is not a docstring: help, errors, reasons, log fields."""
    for folder in ("shared/src", "modules", "devkit/src", "devkit/edgehub/src"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            for line, text in _strings(tree):
                yield f"{file.relative_to(ROOT)}:{line}", text


def read_helps() -> Iterator[tuple[str, str]]:
    """Place and text of every ``help=`` of a command line, values as ``{}``."""
    for folder in ("shared/src", "devkit/src", "devkit/edgehub/src"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.keyword) and node.arg == "help":
                    parts = node.value.values if isinstance(node.value, ast.JoinedStr) else [node.value]
                    text = "".join(str(one.value) if isinstance(one, ast.Constant) else "{}" for one in parts)
                    yield f"{file.relative_to(ROOT)}:{node.value.lineno}", text


def continues_the_option(text: str) -> bool:
    """Whether a help text reads as the rest of its option's name: '--threads: that compute'."""
    return _CONTINUES.match(text) is not None


def _strings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    skipped: set[int] = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and body:
            first = body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                skipped.add(id(first.value))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(id(node.value))  # a text beside a constant documents it
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in node.values}
            parts = [part.value if isinstance(part, ast.Constant) else "X" for part in node.values]
            yield node.lineno, "".join(map(str, parts))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.lineno, node.value
