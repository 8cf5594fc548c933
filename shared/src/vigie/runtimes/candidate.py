"""One way to run a bundle: engine, provider, device, variant, threads, runs at a time, options. Never a session."""

from __future__ import annotations

import msgspec


class Candidate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked for; ``open_engine`` opens exactly this or says why not.

    ``engine``: ``onnxruntime``, ``openvino``, ``litert``, or the name of one that plugs in. ``provider``: a row of
    ``vigie.runtimes.providers`` (``cpu``, ``openvino``, ``cuda``, ``qnn-htp``, ...). ``device``: the row's word for it
    (``CPU``, ``GPU``, ``NPU``, ``HTP``). ``variant``: of the bundle. ``threads``: of one run, at least 1.
    ``runs``: at a time, on one loaded model. ``options``: the provider's own, checked against its row.
    """

    engine: str
    provider: str
    device: str
    variant: str
    threads: int
    options: dict[str, str] = {}
    runs: int = 1

    @property
    def key(self) -> str:
        """Short and stable: ``cpu/fp32/1t x 2``, ``openvino:GPU/int8-u8s8/1t``, ``qnn-htp/a16w8/1t+vtcm_mb=4``."""
        where = self.provider if self.device in {"CPU", "HTP"} else f"{self.provider}:{self.device}"
        options = "".join(f"+{name}={self.options[name]}" for name in sorted(self.options))
        runs = f" x {self.runs}" if self.runs > 1 else ""
        return f"{where}/{self.variant}/{self.threads}t{options}{runs}"


def cpu_candidate(variant: str, threads: int, runs: int = 1) -> Candidate:
    """ONNX Runtime's CPU provider: it always exists, so everything starts and ends with it."""
    return Candidate(engine="onnxruntime", provider="cpu", device="CPU", variant=variant, threads=threads, runs=runs)
