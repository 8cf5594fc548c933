"""``synthetic://`` URLs: what is read, what is refused, and in which words."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigie.errors import SyntheticSourceError
from vigie.synthetic import SceneSpec, parse_url


def test_every_key_is_read() -> None:
    spec = parse_url("synthetic://conveyor?seed=7&fps=12.5&size=320x240&difficulty=hard")
    assert spec == SceneSpec("conveyor", 7, 12.5, (320, 240), "hard")


def test_a_bare_scene_has_defaults() -> None:
    assert parse_url("synthetic://conveyor") == SceneSpec()


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("synthetic://conveyor?sed=1", "sed: unknown key; known are seed, fps, size, difficulty"),
        ("synthetic://conveyor?seed=-1", "seed: expected a whole number 0.."),
        ("synthetic://conveyor?seed=", "seed: expected a whole number"),
        ("synthetic://conveyor?fps=0", "fps: expected 0.1..240 frames per second, got '0'"),
        ("synthetic://conveyor?fps=nan", "fps: expected 0.1..240"),
        ("synthetic://conveyor?size=640", "size: expected WIDTHxHEIGHT such as 640x480"),
        ("synthetic://conveyor?size=8x8", "size: each side must be 64..4096 pixels"),
        ("synthetic://conveyor?difficulty=easy", "difficulty: expected one of normal, hard"),
        ("synthetic://conveyor?seed=1&seed=2", "seed: is given twice"),
        ("synthetic://street", "scene: expected one of conveyor, got 'street'"),
        ("synthetic://", "scene: expected one of conveyor"),
        ("file://conveyor", "scheme: expected 'synthetic://', got 'file://'"),
    ],
)
def test_what_cannot_be_rendered_is_refused_with_key_and_remedy(url: str, text: str) -> None:
    with pytest.raises(SyntheticSourceError) as refused:
        parse_url(url)
    assert text in str(refused.value)
    assert "example: synthetic://conveyor?seed=1" in str(refused.value)


@given(st.text(max_size=60))
def test_no_text_after_the_scene_raises_anything_else(query: str) -> None:
    with contextlib.suppress(SyntheticSourceError):
        parse_url("synthetic://conveyor?" + query)
