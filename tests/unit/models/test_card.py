"""card.yaml: what it may say, and how it is refused."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from support.models import make_card
from vigie.errors import CardError
from vigie.models.card import read_card, write_card

CARD = make_card("yolox", [(1, 84, 8)])


def changed(**changes: Any) -> bytes:
    tree = yaml.safe_load(write_card(CARD))
    for path, value in changes.items():
        at = tree
        *folders, last = path.split("__")
        for folder in folders:
            at = at[folder]
        at[last] = value
    return yaml.safe_dump(tree).encode()


def test_a_card_reads_back_as_it_was_written() -> None:
    assert read_card(write_card(CARD), where="card.yaml") == CARD


def test_a_quantized_variant_says_what_it_is_worth() -> None:
    parity = {"metric": "f1", "value": 0.981, "minimum": 0.95, "samples": 40}
    facts = {"precision": "int8", "integer_share": 0.9, "cpus": ["x86-vnni"], "reduce_range": False, "parity": parity}
    card = read_card(changed(**{f"variants__fp32__{name}": value for name, value in facts.items()}), where="card.yaml")
    variant = card.variants["fp32"]
    assert variant.parity is not None
    assert (variant.parity.value, variant.parity.minimum, variant.reduce_range) == (0.981, 0.95, False)
    assert read_card(write_card(card), where="card.yaml") == card


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (changed(colour="red"), "$: Object contains unknown field `colour`"),
        (changed(input__widht=3), "$.input: Object contains unknown field `widht`"),
        (changed(input__width=0), "$.input.width: Expected `int` >= 1"),
        (changed(input__width=1 << 20), "$.input.width: Expected `int` <= 8192"),
        (changed(input__align="left"), "$.input.align: Invalid enum value 'left'"),
        (changed(name="../x"), "$.name: Expected `str` matching regex"),
        (changed(variants={}), "$.variants: Expected `object` of length >= 1"),
        (changed(variants__fp32__sha256="12"), "$.variants[...].sha256: Expected `str` matching regex"),
        (changed(variants__fp32__precision="fp8"), "$.variants[...].precision: Invalid enum value 'fp8'"),
        (changed(variants__fp32__parity={"metric": "feel", "value": 1, "minimum": 1}), ".parity.metric: Invalid enum"),
        (changed(thresholds__score_min=2), "$.thresholds.score_min: Expected `float` <= 1.0"),
        (changed(labels="abc"), "$.labels: Expected `array`, got `str`"),
        (changed(schema="vigie.card/2"), "$.schema: is 'vigie.card/2', this version reads 'vigie.card/1'"),
        (b"", "$: Expected `object`, got `null`"),
        (b"[1, 2]", "$: Expected `object`, got `array`"),
        (b"a: [", "$: is not plain YAML"),
        (b"\xff\xfe\x00", "$: is not plain YAML"),
        (b"!!python/object/apply:os.system ['true']", "$: is not plain YAML: could not determine a constructor"),
        (b"a: &a [x]\nb: *a\n", "$: is not plain YAML: aliases (*name) are not allowed in a card"),
        (b"[" * 20_000, "$: is not plain YAML"),
        (b" " * ((64 << 10) + 1), "$: is 65537 bytes, a card has at most 65536"),
    ],
    ids=[
        "unknown-key", "unknown-inner-key", "zero", "huge", "enum", "name", "no-variants", "hash", "precision",
        "parity", "threshold", "labels", "schema", "empty", "list", "broken", "bytes", "python-tag", "alias", "deep",
        "large",
    ],
)  # fmt: skip
def test_a_card_that_says_what_it_must_not_is_refused_with_the_path(text: bytes, said: str) -> None:
    with pytest.raises(CardError) as refused:
        read_card(text, where="bundles/x/card.yaml")
    assert str(refused.value).startswith("model card 'bundles/x/card.yaml': ")
    assert said in str(refused.value)
