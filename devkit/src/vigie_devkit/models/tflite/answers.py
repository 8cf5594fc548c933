"""LiteRT's own answers, from a process of its own: a file of nobody's may crash it, and must not take import along.

    python -m vigie_devkit.models.tflite.answers MODEL.tflite FEEDS.npz ANSWERS.npz

Feeds are ``feed_K_I``: input I of run K. Answers are ``answer_K_I``, and of the first run every tensor, ``tensor_N``.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vigie.errors import ModelFileError
from vigie.runtimes.runtime_libraries import first_line, import_litert

WITHIN_S: Final = 600.0


def ask_litert(
    file: Path, content: bytes, feeds: Sequence[Sequence[NDArray[Any]]]
) -> tuple[list[list[NDArray[Any]]], dict[int, NDArray[Any]]]:
    """Outputs of each run in the file's order, and every tensor of the first run by number.

    Raises: ModelFileError: LiteRT refuses the file, crashes on it, or gives no answer in time.
    """
    with tempfile.TemporaryDirectory() as folder:
        model, fed, out = (Path(folder) / name for name in ("model.tflite", "feeds.npz", "answers.npz"))
        model.write_bytes(content)
        named = {f"feed_{run}_{at}": one for run, each in enumerate(feeds) for at, one in enumerate(each)}
        np.savez(fed, **named)  # type: ignore[arg-type]  # NumPy's stubs take its own options for the names
        command = [sys.executable, "-m", __name__, str(model), str(fed), str(out)]
        try:
            done = subprocess.run(command, capture_output=True, timeout=WITHIN_S, check=False)
        except subprocess.TimeoutExpired as error:
            raise ModelFileError(str(file), f"LiteRT gives no answer within {WITHIN_S:g} s") from error
        if done.returncode < 0:
            raise ModelFileError(str(file), f"crashes LiteRT (signal {-done.returncode}); the file is damaged")
        if done.returncode or not out.is_file():
            lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise ModelFileError(str(file), f"LiteRT refuses it: {lines[-1][:300] if lines else 'no reason'}")
        with np.load(out) as found:
            answers = {name: found[name] for name in found.files}
    runs = [_numbered(answers, f"answer_{run}_") for run in range(len(feeds))]
    tensors = {int(name.removeprefix("tensor_")): one for name, one in answers.items() if name.startswith("tensor_")}
    return runs, tensors


def _numbered(answers: dict[str, NDArray[Any]], start: str) -> list[NDArray[Any]]:
    return [answers[f"{start}{at}"] for at in range(sum(name.startswith(start) for name in answers))]


def main(model: str, fed: str, out: str) -> None:
    """The process: plain kernels of LiteRT's own, which keep every tensor."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    litert = import_litert()
    interpreter = litert.Interpreter(
        model_path=model,
        num_threads=1,
        experimental_op_resolver_type=litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    inputs = [int(one["index"]) for one in interpreter.get_input_details()]
    outputs = [int(one["index"]) for one in interpreter.get_output_details()]
    answers: dict[str, Any] = {}
    with np.load(fed) as feeds:
        for run in range(sum(name.endswith("_0") for name in feeds.files)):
            for at, index in enumerate(inputs):
                interpreter.set_tensor(index, feeds[f"feed_{run}_{at}"])
            interpreter.invoke()
            answers |= {f"answer_{run}_{at}": interpreter.get_tensor(index) for at, index in enumerate(outputs)}
            if run == 0:
                answers |= _all_tensors(interpreter)
    np.savez(out, **answers)


def _all_tensors(interpreter: Any) -> dict[str, NDArray[Any]]:
    found = {}
    for one in interpreter.get_tensor_details():
        try:
            found[f"tensor_{int(one['index'])}"] = interpreter.get_tensor(int(one["index"]))
        except ValueError:  # a scratch tensor that no run has filled
            continue
    return found


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (RuntimeError, ValueError, MemoryError) as failure:
        sys.exit(first_line(failure))
