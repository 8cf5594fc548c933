"""The inference module in a process that may be killed, serving a model that hangs on bright pictures.

``python -m support.hanging_inference FOLDER BUNDLE ISOLATE``: prints a JSON object per step; a run that hangs inside it
can only end with it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import numpy as np

from support.inference import inference
from support.modules import until
from vigie.errors import ModelHungError
from vigie_inference import engines, switching

HW = (32, 48)


def picture(level: int) -> np.ndarray:
    return np.full((*HW, 3), level, np.uint8)


def say(**facts: object) -> None:
    print(json.dumps(facts), flush=True)


async def main(folder: Path, bundle: Path, isolate: str) -> None:
    engines.HUNG_AFTER_S = 2.0
    switching.HUNG_CEILING_S = 2.0
    async with inference(folder) as bench:
        # Measured figures would bring another limit of a hang; what is tried here is what follows from one.
        spec = await bench.serve(bundle, runtime={"measure": "off", "isolate": isolate})
        await until(lambda: bench.runtime().get("phase") == "settled", timeout_s=60)
        dark = await bench.answered(picture(10), spec.version)
        say(isolated=bench.runtime()["serving"]["isolated"], answered=bool(dark))
        bench.send(picture(250), spec.version)
        if not bench.runtime()["serving"]["isolated"]:
            await asyncio.sleep(3600)  # until the module ends
        await until(lambda: bench.dropped("inference_failed") >= 1, timeout_s=60)
        await until(lambda: bench.runtime()["breaker"], timeout_s=60)

        async def serves_again() -> None:
            seq = bench.send(picture(10), spec.version)
            await until(lambda: any(item.seq == seq for item in bench.results()), timeout_s=2)

        for _ in range(20):
            try:
                await serves_again()
                break
            except TimeoutError:
                continue
        else:
            raise TimeoutError("nothing serves after the hang")
        say(breaker=bench.runtime()["breaker"], isolated=bench.runtime()["serving"]["isolated"], again=True)


if __name__ == "__main__":
    try:
        asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
    except ModelHungError as error:
        say(failed=error.slug, reason=str(error), cause=repr(error.__cause__))
        import os

        os._exit(1)
