"""Direct methods of model updates."""

from __future__ import annotations

import msgspec

from vigie.service import Service
from vigie_inference.config import InferenceConfig
from vigie_inference.update.report import UpdateState
from vigie_inference.update.updates import Updates


class GetModels(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Request of ``get_models``: no arguments."""


class PromoteModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Request of ``promote_model``: no arguments."""


class RollbackModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Request of ``rollback_model``: no arguments."""


def offer_update_methods(service: Service[InferenceConfig], updates: Updates) -> None:
    def get_models(_: GetModels) -> UpdateState:
        return updates.report.state

    def promote_model(_: PromoteModel) -> UpdateState:
        return updates.promote()

    def rollback_model(_: RollbackModel) -> UpdateState:
        return updates.take_back()

    service.method("get_models", GetModels, get_models)
    service.method("promote_model", PromoteModel, promote_model)
    service.method("rollback_model", RollbackModel, rollback_model)
