"""The report as one HTML page: what ships and why, plots, the layers that stayed float, pictures side by side."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

from vigie.plurals import counted
from vigie_devkit.quantize.charts import Bar, Dot, bar_chart, curve
from vigie_devkit.quantize.report import Report, VariantReport

_STYLE = """body{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#111827}
table{border-collapse:collapse;margin:1em 0}td,th{border-bottom:1px solid #e5e7eb;padding:.3em .7em;text-align:left}
td.n{text-align:right}img{max-width:100%}.refused{color:#dc2626}.shipped{color:#15803d}svg{display:block;margin:1em 0}
svg{max-width:100%;height:auto}details{margin:.5em 0}summary{cursor:pointer}"""


_SEARCH = """<p>The search: each point is a mix that was tried, with a number of the most harmful layers left in
floating point and all others in integers. Its height is the measure on the calibration frames, with exact integer
sums. <span class=shipped>Green</span> keeps the budget, <span class=refused>red</span> loses too much. The file has
the fewest float layers that stay green; on the frames that judge it, its score may differ.</p>"""


def write_page(report: Report, pictures: Sequence[tuple[str, bytes]]) -> str:
    """HTML that stands alone. Args: pictures: caption and JPEG bytes."""
    parts = [
        f"<h1>{escape(report.model)}: quantized for {escape(', '.join(report.targets))}</h1>",
        f"<p>{escape(summary_line(report))}</p>",
        *(f"<p class=refused>Warning: {escape(line)}</p>" for line in report.warnings),
        _variants(report),
        *(f"<p>Left out: {escape(line)}.</p>" for line in report.left_out),
        _charts(report),
        *(_variant(report, one) for one in report.variants if one.verdict != "kept"),
        *_pictures(pictures),
        _layers(report),
        "<p>How to read this: docs/quantize.md.</p>",
    ]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(report.model)} quantized</title>'
        f"<style>{_STYLE}</style><body>{''.join(parts)}</body></html>"
    )


def summary_line(report: Report) -> str:
    measure = report.metric if report.labelled else f"{report.metric} with fp32 (nothing is labelled)"
    return (
        f"{report.date}, {report.machine}. "
        f"Calibrated on {counted(report.calibration_frames, 'frame')} of {report.calibration}; "
        f"judged by {measure} on {counted(report.judged_frames, 'frame')} ({report.judged_on}); {report.budget}."
    )


def _variants(report: Report) -> str:
    base = report.variants[0]
    rows = []
    for one in report.variants:
        times = "".join(
            f"<td class=n>{mine.cpu_ms:.1f} ({theirs.cpu_ms / mine.cpu_ms:.2f}x)<td class=n>{mine.wall_ms:.1f}"
            for mine, theirs in zip(one.times, base.times, strict=True)
        )
        rows.append(
            f"<tr><td>{escape(one.name)}<td class={one.verdict}>{one.verdict}"
            f"<td class=n>{one.size_bytes / 1e6:.2f} MB ({one.size_bytes / base.size_bytes:.0%})"
            f"<td class=n>{one.figures.get(report.metric, 0.0):.4f}{times}"
            f"<td class=n>{one.integer_share:.0%}<td>{escape(', '.join(one.targets))}<td>{escape(', '.join(one.cpus))}"
        )
    heads = "".join(f"<th>CPU ms, {one.threads}t<th>wall ms" for one in base.times)
    return (
        f"<h2>Variants</h2><table><tr><th>variant<th>verdict<th>size<th>{escape(report.metric)}{heads}"
        f"<th>in integers<th>for<th>CPUs{''.join(rows)}</table>"
    )


def _charts(report: Report) -> str:
    shown = report.variants
    charts = [
        bar_chart(
            "size, MB", [Bar(one.name, one.size_bytes, f"{one.size_bytes / 1e6:.2f}", one.verdict) for one in shown]
        ),
        bar_chart(
            report.metric,
            [
                Bar(one.name, value, f"{value:.4f}", one.verdict)
                for one in shown
                for value in [one.figures.get(report.metric, 0.0)]
            ],
        ),
    ]
    for index, times in enumerate(shown[0].times):
        charts.append(
            bar_chart(
                f"CPU time of a run, ms, {times.threads} thread(s)",
                [
                    Bar(one.name, one.times[index].cpu_ms, f"{one.times[index].cpu_ms:.1f}", one.verdict)
                    for one in shown
                ],
            )
        )
    return "".join(charts)


def _variant(report: Report, one: VariantReport) -> str:
    parts = [
        f"<h3>{escape(one.name)} <span class={one.verdict}>{one.verdict}</span></h3>",
        f"<p>{escape(one.reason)}.</p><p>Recipe: {escape(one.why)}.</p>",
    ]
    if one.methods:
        told = ", ".join(f"{name} {score:.3f}" for name, score in one.methods.items())
        parts.append(
            f"<p>Calibration: {escape(one.method)} (everything quantized, on calibration frames: {escape(told)}).</p>"
        )
    if one.simulated is not None:
        parts.append(f"<p>With exact integer sums: {one.simulated:.4f}.</p>")
    figures = ", ".join(f"{name} {value:.4f}" for name, value in one.figures.items())
    parts.append(f"<p>{escape(figures)}</p>")
    if one.float_layers:
        rows = "".join(f"<tr><td>{escape(layer.name)}<td>{escape(layer.reason)}" for layer in one.float_layers)
        parts.append(
            f"<details><summary>{len(one.float_layers)} layers stayed float</summary><table>{rows}</table></details>"
        )
    if len(one.curve) > 1:
        parts.append(_SEARCH)
        dots = [
            Dot(
                point.float_layers,
                point.headline,
                curve_line(point.float_layers, point.headline, point.cpu_ms),
                point.allowed,
            )
            for point in one.curve
        ]
        parts.append(
            curve(
                f"{one.name}: search",
                dots,
                x_name="layers kept float, the most harmful first (0: everything in integers)",
                y_name=f"{report.metric} of the mix",
            )
        )
    return "".join(parts)


def curve_line(layers: int, headline: float, cpu_ms: float | None) -> str:
    return f"{layers} float: {headline:.3f}" + (f", {cpu_ms:.1f} ms" if cpu_ms is not None else "")


def _layers(report: Report) -> str:
    if not report.layers:
        return ""
    float_names = {layer.name for one in report.variants for layer in one.float_layers}
    bars = [
        Bar(
            f"{one.name}{' (depthwise)' if one.depthwise else ''}",
            max(0.0, 60.0 - one.sqnr_db),
            f"{one.sqnr_db:.1f} dB, {one.share:.1%} of the work",
            "float" if one.name in float_names else "layer",
        )
        for one in report.layers
    ]
    tail = "".join(f"<li>{escape(name)}" for name in report.tail)
    return (
        "<h2>Layers</h2><p>What quantizing each layer alone does to the outputs: a longer bar is more noise (60 dB "
        "minus its signal to noise ratio). Orange: kept float in a variant.</p>"
        f"{bar_chart('noise by layer', bars)}"
        f"<details><summary>{len(report.tail)} nodes behind the last layers always stay float</summary>"
        f"<ul>{tail}</ul></details>"
    )


def _pictures(pictures: Iterable[tuple[str, bytes]]) -> list[str]:
    shown = [
        f'<p>{escape(caption)}</p><img alt="{escape(caption)}" '
        f'src="data:image/jpeg;base64,{base64.b64encode(content).decode()}">'
        for caption, content in pictures
    ]
    note = "<p>Green: both agree. Orange: another class. Red: only one of them sees it.</p>"
    return ["<h2>Side by side</h2>", note, *shown] if shown else []
