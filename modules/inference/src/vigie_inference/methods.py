"""Direct methods of the inference module."""

from __future__ import annotations

import msgspec

from vigie.contracts.inputspec import InputSpec
from vigie.errors import MethodRefusedError
from vigie.service import Service
from vigie_inference.config import InferenceConfig
from vigie_inference.models_in_service import ModelsInService


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


def offer_methods(service: Service[InferenceConfig], models: ModelsInService) -> None:
    def get_model(_: GetModel) -> ModelReply:
        model = models.serving
        if model is None:
            raise MethodRefusedError(409, "no model is serving; set desired property 'model'")
        return ModelReply(
            name=model.bundle.card.name,
            path=model.wanted.path,
            provider=model.engine.provider,
            variant=model.engine.variant,
            input_spec=model.spec,
            labels=model.labels,
        )

    service.method("get_model", GetModel, get_model)
