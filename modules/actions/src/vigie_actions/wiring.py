"""Which inputs, threads and methods the module has, and what connects them."""

from __future__ import annotations

import msgspec

from vigie.addresses import NetworkPolicy
from vigie.contracts import names
from vigie.contracts.envelope import EVENTS
from vigie.demand import offer_demands
from vigie.secrets import SecretStore
from vigie.service import Service
from vigie_actions.config import ActionsConfig
from vigie_actions.deliveries import Deliveries
from vigie_actions.methods import offer_methods
from vigie_actions.receive import ReceiveStage
from vigie_actions.sinks.sink import Surroundings


async def run_actions(service: Service[ActionsConfig], policy: NetworkPolicy, secrets: SecretStore) -> None:
    """Until cancelled."""
    env = service.env
    around = Surroundings(
        env.device_id, env.module_id, service.module_version, env.boot,
        secrets, env.secrets, policy,
    )  # fmt: skip
    events = service.input(names.EVENTS, msgspec.Raw, schema=EVENTS)
    deliveries = Deliveries(service, around)
    receive = ReceiveStage(service, events, deliveries)
    offer_methods(service, deliveries)
    offer_demands(service)

    async def apply(new: ActionsConfig, _previous: ActionsConfig | None) -> None:
        deliveries.configure(new)
        receive.configured()

    service.thread("actions.receive", receive.run)
    await service.start()
    await service.twin.run(apply)
