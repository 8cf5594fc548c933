"""What an operator writes: desired properties, camera sources, what the audit log makes of them."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from fuzz.parsers.messages import example
from fuzz.registry import Call, parsed, target
from support.mutation import Mutations


@target
def module_twins(_: Path) -> tuple[Mutations, Call]:
    from vigie.config.desired import Acknowledgements, Desired, VersionGapError, apply_patch, changes
    from vigie.config.parts import Parts
    from vigie.errors import ConfigRefusedError
    from vigie_devkit.manifest.module_schemas import config_type

    kinds = [
        config_type(name) for name in ("camera", "preprocess", "inference", "sync", "viewer", "actions", "evidence")
    ]
    source = "rtsp://op:${DOCK}@10.0.0.5:554/stream?channel=1"
    seeds = [
        {
            "$version": 2,
            "cameras": {"dock": {"source": source, "fps": 5}, "b": {"source": "synthetic://conveyor?seed=1"}},
        },
        {"$version": 2, "model": {"name": "best"}, "score": 0.5, "classes": ["a"], "runtime": {"objective": "energy"}},
        *({"$version": 2, **example(kind)} for kind in kinds if kind is not None),
    ]

    def call(data: bytes) -> None:
        patch = parsed(data)
        if not isinstance(patch, dict):
            return
        for kind in kinds:
            held = Desired(1, {})
            with contextlib.suppress(VersionGapError):
                held = apply_patch(held, patch)
            with contextlib.suppress(ConfigRefusedError):
                parts = Parts(kind, held.properties, None)
                msgspec.json.encode(Acknowledgements().accepted(held, parts.config, parts.refused))
                changes(None, parts.config)

    return Mutations(seeds), call


@target
def audit_entries(_: Path) -> tuple[Mutations, Call]:
    from vigie.audit.chain import Head, read_line, verify, write_line
    from vigie.audit.record import method_entry, twin_entry

    entry = twin_entry(3, 2, [("$.fps", 1, 2)], [("$.x", {"a": 1}, "unknown")])
    line, head = write_line(entry, Head(), at="2026-01-01", module="m", boot="b")
    seeds = [line, line + write_line(entry, head, at="2026-01-01", module="m", boot="b")[0]]

    def call(data: bytes) -> None:
        verify([("a", data)], Head())
        written, _ = write_line(
            method_entry("x", data.decode("latin-1"), 400, {"error": parsed(data)}),
            Head(),
            at="t",
            module="m",
            boot="b",
        )
        read_line(written[:-1])

    return Mutations(seeds), call


@target
def camera_sources(_: Path) -> tuple[Mutations, Call]:
    from vigie.errors import VigieError
    from vigie.log import redact
    from vigie_camera.sources.registry import caution, plan_source

    seeds = [
        b"rtsp://op:${DOCK}@10.0.0.5:554/stream?channel=1&subtype=0", b"rtsps://[fd00::1]/x", b"/videos/a.mp4",
        b"synthetic://conveyor?seed=1&fps=30&size=640x480&difficulty=normal", b"file:///videos/a.mp4",
    ]  # fmt: skip

    def call(data: bytes) -> None:
        text = data.decode("utf-8", "surrogateescape")
        redact(text)
        with contextlib.suppress(VigieError):
            plan = plan_source(text)
            caution(plan)

    return Mutations(seeds), call
