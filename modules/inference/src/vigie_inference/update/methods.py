"""Direct methods of model updates."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from vigie.service import Service
from vigie_inference.config import InferenceConfig
from vigie_inference.seats.seating import Seating
from vigie_inference.update.report import UpdateState
from vigie_inference.update.updates import Updates


class GetModels(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Request of ``get_models``: no arguments."""


class ModelsReply(UpdateState, frozen=True, omit_defaults=True):
    """The update in the main seat, and ``others``: those in seats of their own, by name."""

    others: dict[str, UpdateState] = msgspec.field(default_factory=dict)


class PromoteModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Request of ``promote_model``. ``name``: of a release that names its cameras; absent: of the one that does not."""

    name: Annotated[str, Meta(max_length=64)] | None = None


class RollbackModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Request of ``rollback_model``. ``name``: as for ``promote_model``."""

    name: Annotated[str, Meta(max_length=64)] | None = None


def offer_update_methods(service: Service[InferenceConfig], main: Updates, seating: Seating) -> None:
    def get_models(_: GetModels) -> ModelsReply:
        return ModelsReply(**msgspec.structs.asdict(main.report.state), others=seating.states())

    def promote_model(request: PromoteModel) -> UpdateState:
        return seating.updates(request.name).promote()

    def rollback_model(request: RollbackModel) -> UpdateState:
        return seating.updates(request.name).take_back()

    service.method("get_models", GetModels, get_models)
    service.method("promote_model", PromoteModel, promote_model)
    service.method("rollback_model", RollbackModel, rollback_model)
