"""Models compiled ahead of time for providers that take EPContext files: made once, loaded at every later start."""

from __future__ import annotations

import hashlib
import os
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType

import msgspec

from vigie.errors import EngineError
from vigie.runtimes.engines.onnxruntime_session import SessionPlan, model_content, open_session, session_options
from vigie.runtimes.runtime_libraries import first_line


def compiled_model(runtime: ModuleType, plan: SessionPlan, folder: Path) -> SessionPlan:
    """The plan with its compiled file in place of the ONNX file; compiled now if it is not there.

    Raises: EngineError: it does not compile, or the folder cannot be written.
    """
    file = folder / f"{context_key(runtime, plan)}.onnx"
    if not hasattr(runtime, "ModelCompiler"):  # before 1.22: the provider compiles at every start
        return plan
    if file.exists():
        try:
            open_session(runtime, msgspec.structs.replace(plan, compiled=file))
        except EngineError:  # cut short by a power loss, or of a driver that is gone: made again
            file.unlink(missing_ok=True)
    if not file.exists():
        compile_context(runtime, plan, file)
    return msgspec.structs.replace(plan, compiled=file)


def context_key(runtime: ModuleType, plan: SessionPlan) -> str:
    """Names the file: model, provider, its versions, device and options; another of any of these is another file."""
    versions = [str(runtime.__version__)]
    for package in plan.row.packages:
        try:
            versions.append(f"{package.name} {version(package.name)}")
        except PackageNotFoundError:
            continue
    options = [f"{name}={plan.options[name]}" for name in sorted(plan.options) if name not in plan.row.from_plugin]
    facts = [plan.variant.sha256, plan.row.id, plan.candidate.device, *versions, *options]
    digest = hashlib.sha256("\0".join(facts).encode()).hexdigest()
    return f"{plan.row.id}-{digest[:24]}"


def compile_context(runtime: ModuleType, plan: SessionPlan, file: Path) -> None:
    """Write ``file``: the graph with its compiled parts inside. It appears whole or not at all.

    Raises: EngineError: the provider cannot compile it, or the folder cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".compiling-", dir=file.parent) as unfinished:
            made = Path(unfinished) / file.name
            options = session_options(runtime, plan)
            model, kept = model_content(plan, options)
            compiler = runtime.ModelCompiler(options, model, embed_compiled_data_into_model=True)
            compiler.compile_to_file(str(made))
            del kept  # the compiler reads external data where they are
            with made.open("rb") as written:
                os.fsync(written.fileno())
            made.replace(file)
    except OSError as error:
        reason = f"cannot write {file.parent} ({error.strerror})"
        raise EngineError(plan.model, reason, "make the folder for compiled models writable") from error
    except Exception as error:  # ONNX Runtime's own classes share no base
        raise EngineError(plan.model, f"{plan.row.ep} cannot compile it: {first_line(error)}") from error
