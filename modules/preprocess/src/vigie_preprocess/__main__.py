"""The preprocess module, as a table of contents."""

from __future__ import annotations

from vigie.contracts import names
from vigie.service import ModuleEnvironment, open_service, run_module
from vigie_preprocess.config import PreprocessConfig
from vigie_preprocess.wiring import run_preprocess


async def main(env: ModuleEnvironment) -> None:
    async with open_service(env, PreprocessConfig) as service:
        await run_preprocess(service)


if __name__ == "__main__":
    raise SystemExit(run_module(names.PREPROCESS, main))
