"""The inference module, as a table of contents."""

from __future__ import annotations

from contextlib import closing

from vigie.contracts import names
from vigie.service import ModuleEnvironment, open_service, run_module
from vigie_inference.config import InferenceConfig
from vigie_inference.models_in_service import ModelsInService
from vigie_inference.wiring import run_inference


async def main(env: ModuleEnvironment) -> None:
    with closing(ModelsInService()) as models:
        async with open_service(env, InferenceConfig) as service:
            await run_inference(service, models)


if __name__ == "__main__":
    raise SystemExit(run_module(names.INFERENCE, main, programs=True))
