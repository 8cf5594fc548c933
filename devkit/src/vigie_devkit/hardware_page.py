"""The provider tables of docs/hardware.md, made of the provider table itself; a test keeps the page current.

``python -m vigie_devkit.hardware_page`` writes them into the page.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from vigie.runtimes.providers import TABLE, Row
from vigie.runtimes.providers.row import Option
from vigie_devkit.local.paths import CHECKOUT

PAGE = CHECKOUT / "docs/hardware.md"
BEGIN, END = "<!-- providers: begin -->", "<!-- providers: end -->"


def with_tables(page: str) -> str:
    """The page with what stands between the marks made anew. Raises: ValueError: a mark is missing."""
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{PAGE.name} lacks {BEGIN} or {END}")
    return f"{head}{BEGIN}\n{provider_tables()}{END}{tail}"


def provider_tables() -> str:
    """One overview, then for each provider what it needs and the options it takes."""
    lines = [
        "| provider | what it is | devices | package | variants, the preferred first | compiled models |",
        "|---|---|---|---|---|---|",
        *(_overview(row) for row in TABLE.values()),
        "",
    ]
    for row in TABLE.values():
        lines += [*_section(row), ""]
    return "\n".join(lines)


def _overview(row: Row) -> str:
    packages = ", ".join(f"`{package.name}`{_where(row, package.machines)}" for package in row.packages)
    kept = "EPContext file" if row.context else "cache folder" if row.cache else "-"
    cells = [f"`{row.id}`", row.title, ", ".join(row.devices), packages, ", ".join(row.precisions), kept]
    return f"| {' | '.join(cells)} |"


def _where(row: Row, machines: tuple[str, ...]) -> str:
    system = {"linux": "", "darwin": "macOS ", "win32": "Windows "}[row.platform]
    return "" if not system and len(machines) > 1 else f" ({system}{', '.join(machines)})"


def _section(row: Row) -> Iterator[str]:
    yield f"### `{row.id}`"
    yield ""
    way = {
        "built-in": "part of the package's ONNX Runtime",
        "plugin": "plugin of ONNX Runtime",
        "direct": "own runtime",
    }
    yield f"{row.ep}, {way[row.way]}." + (f" {row.remarks[0].upper()}{row.remarks[1:]}." if row.remarks else "")
    yield ""
    for device, need in row.devices.items():
        if need.ids:
            emulated = f"; emulated on {', '.join(need.emulated_on)}" if need.emulated_on else ""
            yield f"- {device}: {' or '.join(f'`{id_}`' for id_ in need.ids)} in the hardware report{emulated}"
    if row.libraries:
        yield f"- libraries: {', '.join(f'`{group}`'.replace('|', '` or `') for group in row.libraries)}"
    for precision, reason in row.unsuited.items():
        yield f"- not for {precision}: {reason}"
    for objective, options in row.performance.items():
        given = options | row.hints.get(objective, {})
        yield f"- {objective}: {', '.join(f'`{name}={value}`' for name, value in given.items())}"
    for precision, options in row.by_precision.items():
        yield f"- {precision}: {', '.join(f'`{name}={value}`' for name, value in options.items())}"
    if row.create_options:
        yield f"- createOptions: `{json.dumps(row.create_options)}`"
    yield ""
    yield "| option | values | |"
    yield "|---|---|---|"
    for name, option in row.options.items():
        yield f"| `{name}` | {_values(option)} | {option.meaning} |"


def _values(option: Option) -> str:
    if option.choices:
        return ", ".join(f"`{word}`" for word in option.choices)
    if option.low is not None and option.high is not None:
        return f"{option.low:.0f} to {option.high:.0f}"
    return {"path": "a path", "shapes": "`name:1x3x416x416,...`"}.get(option.kind, "a text")


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
