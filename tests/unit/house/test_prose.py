"""No decision reads a sentence that was written for people: what is decided on is a type, a code or a field."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SOURCES = sorted(path for folder in ("modules", "shared", "devkit") for path in (ROOT / folder).rglob("src/**/*.py"))
# What fields and variables are called that hold a sentence.
SENTENCES = {"advice", "detail", "doubt", "hint", "reason", "refusal", "remedy", "sentence", "unmet", "why"}
LOOKS_INTO = {"startswith", "endswith", "find", "index", "count"}
PATTERNS = {"search", "match", "fullmatch", "findall"}
# Others' texts, where they give no class or code: file and what is looked for.
FOREIGN = {
    ("shared/src/vigie/process.py", "start new thread"): "CPython raises a plain RuntimeError",
    ("shared/src/vigie/runtimes/engines/onnxruntime_session.py", "disable_cpu_ep_fallback"): "ONNX Runtime: one class",
    ("shared/src/vigie/config/schema.py", "str(error)"): "msgspec gives path and kind in its text only",
}


def caught(tree: ast.AST) -> set[str]:
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler) and node.name}


def is_sentence(node: ast.expr, errors: set[str]) -> bool:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in SENTENCES
        case ast.Call(func=ast.Name(id="str"), args=[ast.Name(id=name)]):
            return name in errors
        case ast.Call(func=ast.Attribute(value=inner, attr="lower" | "casefold" | "strip")):
            return is_sentence(inner, errors)
    return False


def is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(node.value)


def decisions(text: str) -> Iterator[tuple[int, str]]:
    """Line and looked-for text of each decision on a sentence."""
    tree = ast.parse(text)
    errors = caught(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=inner, attr=attr), args=[first, *_]) if attr in LOOKS_INTO:
                if is_sentence(inner, errors):
                    yield node.lineno, ast.unparse(first).strip("'")
            case ast.Call(func=ast.Attribute(attr=attr), args=args) if attr in PATTERNS:
                if any(is_sentence(one, errors) for one in args):
                    yield node.lineno, ast.unparse(args[0]).strip("'")
            case ast.Compare(left=left, ops=[ast.In() | ast.NotIn()], comparators=[right]):
                if is_text(left) and is_sentence(right, errors):
                    yield node.lineno, ast.unparse(left).strip("'")
            case ast.Compare(left=left, ops=[ast.Eq() | ast.NotEq()], comparators=[right]):
                # A code is one word; with a space in it, it is a sentence.
                if is_sentence(left, errors) and is_text(right) and " " in ast.unparse(right):
                    yield node.lineno, ast.unparse(right).strip("'")


def test_no_decision_is_made_on_a_sentence() -> None:
    found = [
        (str(path.relative_to(ROOT)), line, what)
        for path in SOURCES
        for line, what in decisions(path.read_text(encoding="utf-8"))
    ]
    wrong = [f"{path}:{line} looks for {what!r}" for path, line, what in found if (path, what) not in FOREIGN]
    assert wrong == [], "give it a type, a code or a field; a sentence is for people"
    assert FOREIGN.keys() - {(path, what) for path, _, what in found} == set(), "allowed, and no longer there"


@pytest.mark.parametrize(
    ("text", "looked_for"),
    [
        ("why.startswith('required')", ["required"]),
        ("one.reason.startswith(others)", ["others"]),
        ("'in the manifest' in reason", ["in the manifest"]),
        ("remedy.lower().endswith('driver')", ["driver"]),
        ("if reason == 'it is away': pass", ["it is away"]),
        ("re.search('no such', error.reason)", ["no such"]),
        ("try: pass\nexcept OSError as error:\n  'password' in str(error)", ["password"]),
        ("reason == 'sync_behind'", []),
        ("if reason: pass", []),
        ("'a' in names", []),
        ("path.startswith('/dev/')", []),
        ("log.warning('x', reason=str(error))", []),
    ],
)
def test_what_counts_as_a_decision_on_a_sentence(text: str, looked_for: list[str]) -> None:
    assert [what for _, what in decisions(text)] == looked_for
