"""Options are checked, because ONNX Runtime takes misspelt ones and bad values in silence."""

from __future__ import annotations

import pytest

from vigie.errors import ProviderOptionError
from vigie.runtimes.providers import TABLE, check_options


@pytest.mark.parametrize(
    ("provider", "option", "value"),
    [
        ("cpu", "session.x64quantprecision", "1"),
        ("openvino", "INFERENCE_PRECISION_HINT", "f16"),
        ("qnn-htp", "vtcm_mb", "8"),
        ("qnn-htp", "htp_arch", "73"),
        ("tensorrt", "trt_auxiliary_streams", "-1"),
        ("tensorrt", "trt_profile_min_shapes", "images:1x3x416x416,more:1"),
        ("vitisai", "config_file", "/etc/vaip.json"),
    ],
)
def test_a_good_value_passes(provider: str, option: str, value: str) -> None:
    check_options(TABLE[provider], {option: value})


@pytest.mark.parametrize(
    ("provider", "option", "value", "said"),
    [
        ("qnn-htp", "htp_perfomance_mode", "burst", "is unknown; did you mean 'htp_performance_mode'?"),
        ("cuda", "zzz", "1", "is unknown; it has arena_extend_strategy, cudnn_conv_algo_search, "),
        ("qnn-htp", "htp_performance_mode", "brust", "(did you mean 'burst'?), got 'brust'"),
        ("qnn-htp", "vtcm_mb", "many", "expected a whole number from 0 to 64, got 'many'"),
        ("qnn-htp", "vtcm_mb", "65", "expected a whole number from 0 to 64, got '65'"),
        ("openvino", "NPU_TURBO", "1", "expected NO or YES, got '1'"),
        ("tensorrt", "trt_profile_min_shapes", "1,3,416,416", "expected shapes such as 'images:1x3x416x416', got"),
        ("vitisai", "config_file", " ", "expected a text that is not empty, got ' '"),
    ],
)
def test_a_bad_one_is_refused_with_what_was_meant(provider: str, option: str, value: str, said: str) -> None:
    with pytest.raises(ProviderOptionError) as refused:
        check_options(TABLE[provider], {option: value})
    assert str(refused.value).startswith(f"provider '{provider}': option '{option}' ")
    assert said in str(refused.value)


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE)
def test_what_a_row_sets_by_itself_passes_its_own_check(row: object) -> None:
    assert row in TABLE.values()
    table_row = TABLE[row.id]  # type: ignore[attr-defined]
    for options in (table_row.fixed, *table_row.performance.values(), *table_row.by_precision.values()):
        check_options(table_row, options)
    assert not set(table_row.precisions) & set(table_row.unsuited)
    assert table_row.engine in {"onnxruntime", "openvino", "litert"}
    assert (table_row.way == "plugin") == bool(table_row.plugin_module)


def test_every_package_that_stands_in_place_of_onnxruntime_brings_its_cpu_provider() -> None:
    whole = {
        package.name
        for row in TABLE.values()
        if row.engine == "onnxruntime" and row.way == "built-in" and row.platform == "linux"
        for package in row.packages
        if not package.where
    }
    assert whole <= {package.name for package in TABLE["cpu"].packages}, "else nothing serves without the device"
