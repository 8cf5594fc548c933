"""Pays or refuses: per target, with the figures in the sentence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vigie_devkit.quantize.judge import Score
from vigie_devkit.quantize.machine import Machine
from vigie_devkit.quantize.recipes import (
    A16W8,
    DYNAMIC,
    FP16,
    S8S8,
    TARGETS,
    U8S8_8BIT,
    U8S8_PAIRED,
    parse_targets,
    recipes_for,
)
from vigie_devkit.quantize.speed import Timing
from vigie_devkit.quantize.variants import Built
from vigie_devkit.quantize.verdict import VariantVerdict, judge_variant

HERE = Machine("a processor", "x86-avx2", "cpu-x86", 2)
BUILT = Built(U8S8_PAIRED, "int8-u8s8", b"", Score("mAP50", 0.97), None, cpus=U8S8_PAIRED.exact_on)


def decide(built: Built, wanted: str, cpu_ms: float, *, reference: float = 0.98) -> VariantVerdict:
    times = {threads: Timing(threads, cpu_ms, cpu_ms) for threads in (1, 2)}
    float_times = {threads: Timing(threads, 20.0, 20.0) for threads in (1, 2)}
    targets = parse_targets(wanted)
    figures = {"mAP50-95, normal": 0.8, "mAP50-95, hard": 0.6}
    float_score = Score("mAP50", reference, figures)
    return judge_variant(built, targets, HERE, reference=float_score, times=times, float_times=float_times)


def test_a_faster_variant_ships_with_its_figures() -> None:
    verdict = decide(BUILT, "cpu-x86", 10.0)
    assert verdict == VariantVerdict(
        ships=True,
        targets=("cpu-x86",),
        reason="mAP50 97.0 (-1.00 points); 2.00x the speed of fp32 with 1 thread, "
        "2.00x the speed of fp32 with 2 threads",
    )


def test_what_one_source_loses_most_is_told_beside_the_mean_of_all() -> None:
    figures = {"mAP50-95, normal": 0.7961, "mAP50-95, hard": 0.601}
    built = replace(BUILT, score=Score("mAP50", 0.981, figures, tuple(figures)))
    assert decide(built, "cpu-x86", 10.0).reason.startswith(
        "mAP50 98.1 (+0.10 points), at worst -0.39 (mAP50-95, normal); 2.00x"
    )


def test_without_labels_the_figure_is_an_agreement_and_no_points_are_told() -> None:
    built = replace(BUILT, score=Score("agreement f1", 0.97, labelled=False))
    assert decide(built, "cpu-x86", 10.0, reference=1.0).reason.startswith("agreement f1 0.970; 2.00x")


def test_slower_and_less_accurate_is_refused() -> None:
    verdict = decide(BUILT, "cpu-x86", 25.0)
    assert not verdict.ships
    assert verdict.reason.startswith("both slower and less accurate than fp32 here: mAP50 97.0 (-1.00 points); 0.80x")


def test_a_dynamic_variant_is_judged_by_the_same_rule() -> None:
    built = replace(BUILT, recipe=DYNAMIC, name=DYNAMIC.name)
    assert decide(built, "cpu-x86", 10.0).targets == ("cpu-x86",)
    verdict = decide(built, "cpu-x86", 25.0)
    assert not verdict.ships
    assert verdict.reason.startswith("both slower and less accurate than fp32 here: mAP50 97.0 (-1.00 points); 0.80x")


def test_slower_here_still_ships_for_what_is_not_here_and_says_so() -> None:
    verdict = decide(BUILT, "cpu-x86,openvino", 25.0)
    assert verdict.targets == ("openvino",)
    assert "not offered for cpu-x86: slower and less accurate than fp32" in verdict.reason
    assert "its speed on openvino was not measured: no such hardware here" in verdict.reason


def test_slower_but_as_accurate_is_no_reason_to_refuse() -> None:
    assert decide(BUILT, "cpu-x86", 25.0, reference=0.97).ships


def test_a_difference_within_the_noise_is_not_slower() -> None:
    assert decide(BUILT, "cpu-x86", 20.4).ships


def test_less_accurate_than_allowed_is_refused_however_fast() -> None:
    verdict = decide(replace(BUILT, refusal="mAP50 90.0 against 98.0 of fp32, 0.5 points may be lost"), "all", 1.0)
    assert verdict == VariantVerdict(
        ships=False,
        targets=(),
        reason="less accurate than allowed: mAP50 90.0 against 98.0 of fp32, 0.5 points may be lost",
    )


def test_a_variant_whose_sums_overflow_here_ships_for_other_cpus() -> None:
    verdict = decide(replace(BUILT, recipe=U8S8_8BIT, cpus=U8S8_8BIT.exact_on), "cpu-x86", 10.0)
    assert verdict.ships
    assert "on this CPU (x86-avx2) its 16-bit sums overflow, it is for x86-vnni, arm64" in verdict.reason


@pytest.mark.parametrize(
    ("targets", "names"),
    [
        ("cpu-x86", ["int8-u8s8", "int8-u8s8", "int8-dynamic"]),
        ("cpu-arm", ["int8-s8s8", "int8-dynamic"]),
        ("tensorrt", ["int8-s8s8"]),
        ("gpu", ["fp16"]),
        ("qnn-htp", ["int8-u8s8", "int8-u8s8", "a16w8"]),
        ("openvino,cpu-arm", ["int8-u8s8", "int8-u8s8", "int8-s8s8", "int8-dynamic"]),
        ("all", ["fp16", "int8-u8s8", "int8-u8s8", "int8-s8s8", "a16w8", "int8-dynamic"]),
    ],
)
def test_each_target_gets_its_recipes(targets: str, names: list[str]) -> None:
    assert [recipe.name for recipe in recipes_for(parse_targets(targets))] == names


@pytest.mark.parametrize(("text", "said"), [("cpu-x68", "unknown cpu-x68; targets are cpu-x86"), (" , ", "none given")])
def test_a_target_that_is_none_is_refused_with_the_list(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_targets(text)


def test_every_target_has_a_recipe_and_every_recipe_a_target() -> None:
    assert all(recipes_for([target]) for target in TARGETS)
    assert all(recipe.targets for recipe in (FP16, U8S8_PAIRED, U8S8_8BIT, S8S8, A16W8, DYNAMIC))
