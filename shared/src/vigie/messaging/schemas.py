"""Which schema each item type travels under: one table, so that no module repeats it."""

from __future__ import annotations

from typing import Any

from vigie.contracts import envelope
from vigie.contracts.blur import BlurAnswer
from vigie.contracts.credit import Credit
from vigie.contracts.demand import Demand, ModuleStatus
from vigie.contracts.detections import DetectionsItem
from vigie.contracts.frames import FrameItem
from vigie.contracts.inputspec import InputSpec
from vigie.contracts.tensors import TensorItem
from vigie.contracts.told import Told

_SCHEMAS: dict[Any, envelope.Schema] = {
    FrameItem: envelope.FRAMES,
    TensorItem: envelope.TENSORS,
    DetectionsItem: envelope.DETECTIONS,
    InputSpec: envelope.INPUT_SPEC,
    Credit: envelope.CREDIT,
    Demand: envelope.DEMAND,
    ModuleStatus: envelope.STATUS,
    Told: envelope.TOLD,
    BlurAnswer: envelope.BLUR,
}


def schema_of(item_type: type[Any]) -> envelope.Schema:
    """The schema of a contract's item. Raises: TypeError: none is known, pass one."""
    schema = _SCHEMAS.get(item_type)
    if schema is None:
        raise TypeError(f"{item_type.__name__} is not an item of vigie.contracts: pass its schema")
    return schema
