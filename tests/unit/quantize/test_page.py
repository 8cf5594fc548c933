"""The report is read from the top: what ships, pictures, then layers; names whole, nodes behind a fold."""

from __future__ import annotations

import re

from vigie_devkit.quantize.charts import Bar, bar_chart
from vigie_devkit.quantize.page import write_page
from vigie_devkit.quantize.report import LayerError, Point, Report, VariantReport

LONG = "/backbone/backbone/dark5/dark5.1/conv1/conv/Conv"


def report() -> Report:
    curve = tuple(
        Point(float_layers=count, integer_share=1 - count / 10, headline=0.9 + count / 100, allowed=count > 1)
        for count in range(4)
    )
    kept = VariantReport(name="fp32", why="as imported", verdict="kept", reason="the reference", size_bytes=4_000_000)
    int8 = VariantReport(
        name="int8-mixed", why="smaller", verdict="shipped", reason="it pays", size_bytes=1_000_000, curve=curve
    )
    return Report(
        model="best",
        digest="0" * 64,
        machine="a machine",
        date="2026-11-28",
        targets=("cpu-x86",),
        budget="at most 0.5 points lost",
        calibration="belt.mp4",
        calibration_frames=16,
        judged_on="other.mp4",
        judged_frames=32,
        labelled=True,
        metric="mAP50",
        multiply_adds=1,
        warnings=(),
        tail=("sigmoid_17", "concat_3"),
        layers=tuple(LayerError(f"{LONG}_{number}", "Conv", 30.0, 0.1, False) for number in range(64)),
        variants=(kept, int8),
    )


def test_pictures_come_before_the_layers_and_names_of_nodes_behind_a_fold() -> None:
    page = write_page(report(), [("int8-mixed, frame 3: 2 difference(s)", b"jpeg")])
    assert page.index("Side by side") < page.index("<h2>Layers")
    assert re.search(r"<details><summary>2 nodes [^<]*</summary><ul><li>sigmoid_17<li>concat_3</ul></details>", page)


def test_the_search_says_what_its_axis_and_colours_mean() -> None:
    page = write_page(report(), [])
    assert "layers kept float, the most harmful first (0: everything in integers)" in page
    assert "keeps the budget" in page


def test_a_long_name_of_a_layer_is_whole_and_starts_inside_the_picture() -> None:
    chart = bar_chart("noise", [Bar(LONG, 1.0, "20 dB"), Bar("c2a", 0.5, "30 dB")])
    assert f">{LONG}<" in chart
    ends = [float(x) for x in re.findall(r'<text x="([\d.]+)" y="\d+" text-anchor="end">', chart)]
    # A character of the font is 6 to 7 pixels wide.
    assert min(ends) >= 6.6 * len(LONG)


def test_a_name_that_would_widen_the_page_beyond_reading_keeps_both_ends_and_a_tooltip() -> None:
    name = "/".join(["block"] * 30) + "/Conv_7"
    chart = bar_chart("noise", [Bar(name, 1.0, "20 dB")])
    assert f"<title>{name}</title>" in chart
    assert re.search(r">block/block[^<]{20,60}block/Conv_7<title>", chart)
