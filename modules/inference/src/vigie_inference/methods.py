"""Direct methods of the inference module."""

from __future__ import annotations

import time
from typing import Annotated

import msgspec
from msgspec import Meta

from vigie.contracts.inputspec import InputSpec
from vigie.errors import MethodRefusedError
from vigie.models.signed import SignedBy
from vigie.service import Service
from vigie_inference.config import InferenceConfig
from vigie_inference.models_in_service import ModelsInService
from vigie_inference.runtime_control import RuntimeControl
from vigie_inference.runtime_state import RuntimeState

POLL_S = 0.1


class GetModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Request of ``get_model``: no arguments."""


class ModelReply(msgspec.Struct, frozen=True):
    """The serving model, what runs it, and what it can see."""

    name: str
    path: str
    provider: str
    variant: str
    input_spec: InputSpec
    labels: tuple[str, ...]
    signature: SignedBy = SignedBy("unsigned")


class GetRuntime(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Request of ``get_runtime``: no arguments."""


class RunBenchmark(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Request of ``run_benchmark``. ``wait_s``: how long to wait for the end before answering; 0 = answer at once."""

    wait_s: Annotated[float, Meta(ge=0, le=280)] = 0


class BenchmarkReply(msgspec.Struct, frozen=True):
    """``finished``: whether ``runtime`` is the result; otherwise follow ``runtime_state.progress`` in the twin."""

    finished: bool
    runtime: RuntimeState


def offer_methods(service: Service[InferenceConfig], models: ModelsInService, control: RuntimeControl) -> None:
    def get_model(_: GetModel) -> ModelReply:
        model = models.serving
        if model is None:
            raise MethodRefusedError(409, "no model is serving; set desired property 'model'")
        return ModelReply(
            name=model.bundle.card.name,
            path=str(model.bundle.folder),
            provider=model.engine.provider,
            variant=model.engine.variant,
            input_spec=model.spec,
            labels=model.labels,
            signature=model.loaded.signed,
        )

    def get_runtime(_: GetRuntime) -> RuntimeState:
        if models.serving is None:
            raise MethodRefusedError(409, "no model is serving; set desired property 'model'")
        return control.report.state

    def run_benchmark(request: RunBenchmark) -> BenchmarkReply:
        if models.serving is None:
            raise MethodRefusedError(409, "no model is serving; set desired property 'model'")
        if not control.again():
            raise MethodRefusedError(409, "the candidates are being measured already; see 'runtime_state.progress'")
        deadline = time.monotonic() + request.wait_s
        while not control.idle() and time.monotonic() < deadline:
            time.sleep(POLL_S)
        return BenchmarkReply(control.idle(), control.report.state)

    service.method("get_model", GetModel, get_model)
    service.method("get_runtime", GetRuntime, get_runtime)
    service.method("run_benchmark", RunBenchmark, run_benchmark)
