"""Direct methods of the preprocess module."""

from __future__ import annotations

import msgspec

from vigie.contracts.inputspec import InputSpec
from vigie.service import Service
from vigie_preprocess.config import PreprocessConfig
from vigie_preprocess.fit import FitStage


class GetInputSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Request of ``get_input_spec``: no arguments."""


class InputSpecReply(msgspec.Struct, frozen=True):
    """``input_spec`` is null until inference has published one."""

    input_spec: InputSpec | None


def offer_methods(service: Service[PreprocessConfig], stage: FitStage) -> None:
    def get_input_spec(_: GetInputSpec) -> InputSpecReply:
        return InputSpecReply(stage.spec)

    service.method("get_input_spec", GetInputSpec, get_input_spec)
