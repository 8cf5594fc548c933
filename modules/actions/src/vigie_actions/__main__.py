"""The actions module, as a table of contents."""

from __future__ import annotations

import os

from vigie.contracts import names
from vigie.secrets import SecretStore
from vigie.service import ModuleEnvironment, open_service, run_module
from vigie_actions.config import ActionsConfig
from vigie_actions.policy import read_policy
from vigie_actions.wiring import run_actions


async def main(env: ModuleEnvironment) -> None:
    policy, secrets = read_policy(os.environ), SecretStore(env.secrets, os.environ)
    async with open_service(env, ActionsConfig) as service:
        await run_actions(service, policy, secrets)


if __name__ == "__main__":
    raise SystemExit(run_module(names.ACTIONS, main))
