"""docs/models.md says what is there: the card's fields, the families, commands that parse."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import msgspec

from vigie.models.card import Card
from vigie_devkit.cli import parser_for
from vigie_devkit.models.recognise import family_names

PAGE = (Path(__file__).parents[3] / "docs/models.md").read_text(encoding="utf-8")


def section(heading: str) -> str:
    """The text from a heading to the next of any level."""
    return re.split(r"^#+ ", PAGE.split(f"# {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def fields(kind: msgspec.inspect.Type, path: str = "", *, open_field: bool = False) -> Iterator[tuple[str, bool]]:
    """Every leaf of the card as ``a.b[].c`` and whether it may be left out of its own mapping."""
    match kind:
        case msgspec.inspect.StructType(fields=members):
            for member in members:
                name = f"{path}.{member.encode_name}" if path else member.encode_name
                yield from fields(member.type, name, open_field=not member.required)
        case msgspec.inspect.UnionType(types=types):
            inner = [one for one in types if not isinstance(one, msgspec.inspect.NoneType)]
            yield from fields(inner[0], path, open_field=open_field)
        case msgspec.inspect.VarTupleType(item_type=msgspec.inspect.StructType() as item):
            yield from fields(item, f"{path}[]")
        case msgspec.inspect.DictType(value_type=msgspec.inspect.StructType() as item):
            yield from fields(item, f"{path}.*")
        case _:
            yield path, open_field


def test_the_page_lists_every_field_of_the_card_and_no_other() -> None:
    listed = [
        (name, bool(mark)) for name, mark in re.findall(r"^\| `([^`]+)` (\? )?\|", section("The card"), re.MULTILINE)
    ]
    assert listed == list(fields(msgspec.inspect.type_info(Card)))


def test_the_page_lists_every_family_and_no_other() -> None:
    listed = re.findall(r"^\| `([a-z0-9]+)` \|", section("`import`: what is recognised"), flags=re.MULTILINE)
    assert sorted(listed) == sorted(family_names())


def test_every_command_of_the_page_is_one() -> None:
    lines = re.findall(r"^ *\./vigie ([^#\n]+)", PAGE, flags=re.MULTILINE)
    assert len(lines) >= 12
    for line in lines:
        words = shlex.split(line)
        _, rest = parser_for(words).parse_known_args(words)
        assert rest == [], line


def test_every_verb_has_an_example_on_the_page() -> None:
    parser = parser_for(["models"])
    models = parser._subparsers._group_actions[0].choices["models"]
    verbs = models._subparsers._group_actions[0].choices
    assert verbs
    for verb in verbs:
        assert f"./vigie models {verb}" in PAGE, verb
