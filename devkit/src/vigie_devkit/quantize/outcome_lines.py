"""A run's result in lines for people."""

from __future__ import annotations

from vigie_devkit.quantize.page import summary_line
from vigie_devkit.quantize.report import Point, Report, VariantReport


def outcome_lines(report: Report) -> list[str]:
    """The frame of the run, one line a variant, its reason, and the curve of what was refused."""
    base = report.variants[0]
    lines = [f"{report.model}: {summary_line(report)}", *(f"  warning    {line}" for line in report.warnings)]
    for one in report.variants:
        lines.append(_line(report, one, base))
        if one.verdict != "kept":
            lines.append(f"               {one.reason}")
        if one.float_layers:
            names = ", ".join(layer.name for layer in one.float_layers[:6])
            more = f" and {len(one.float_layers) - 6} more" if len(one.float_layers) > 6 else ""
            lines.append(f"               float: {names}{more}")
        if one.verdict == "refused" and one.curve:
            lines += ["               curve (simulated on the calibration frames):", *map(_point, one.curve)]
    return lines + [f"  left out   {line}" for line in report.left_out]


def _line(report: Report, one: VariantReport, base: VariantReport) -> str:
    times = ", ".join(f"{mine.cpu_ms:.1f} ms CPU with {mine.threads}t" for mine in one.times)
    figures = f"{report.metric} {one.figures.get(report.metric, 0.0):.4f}"
    return (
        f"  {one.verdict:8} {one.name:18} {one.size_bytes / 1e6:6.2f} MB ({one.size_bytes / base.size_bytes:4.0%})  "
        f"{figures}  {times}  {one.integer_share:4.0%} in integers"
    )


def _point(point: Point) -> str:
    size = f"{point.size_bytes / 1e6:6.2f} MB" if point.size_bytes is not None else " " * 9
    speed = f"{point.cpu_ms:7.1f} ms CPU" if point.cpu_ms is not None else ""
    return (
        f"                 {point.float_layers:4} float, {point.integer_share:4.0%} in integers  "
        f"{point.headline:.3f}{' ok' if point.allowed else '   '}  {size}{speed}"
    )
