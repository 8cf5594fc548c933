"""From a candidate to an ONNX Runtime session: the provider's options, devices and tripwires."""

from __future__ import annotations

import importlib
import platform
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from vigie.errors import EngineError, ProviderError
from vigie.models.bundle import Bundle, Variant
from vigie.runtimes.candidate import Candidate
from vigie.runtimes.engines.engine import EngineSettings
from vigie.runtimes.hardware.vulkan_adapters import use_real_ones_only
from vigie.runtimes.providers import TABLE, Row, check_options
from vigie.runtimes.remedy import SEE_DOCTOR
from vigie.runtimes.runtime_libraries import first_line, load_from_packages, plugin_devices, unloadable

_RECORD_ASSIGNMENT = "session.record_ep_graph_assignment_info"
_CPU = "CPUExecutionProvider"
_MOUNT = "put it into the image, or let the container runtime mount it (docs/hardware.md)"


class SessionPlan(msgspec.Struct, frozen=True):
    """All that a session is opened from, so that it can be opened again with profiling.

    ``model``: for error texts. ``options``: the provider's, complete. ``devices``: ep-devices of a plugin provider.
    ``compiled``: what is opened in place of the variant's own bytes. ``emulated``: the package runs a software model of
    the device here.
    """

    model: str
    variant: Variant
    candidate: Candidate
    row: Row
    settings: EngineSettings
    options: dict[str, str]
    entries: dict[str, str]
    devices: tuple[Any, ...]
    emulated: bool
    compiled: Path | None = None


def plan_session(runtime: ModuleType, bundle: Bundle, candidate: Candidate, settings: EngineSettings) -> SessionPlan:
    """Resolve the row, check the options, find the devices.

    Raises: ProviderError: no such row, its package or device is not here. ProviderOptionError.
    """
    variant = bundle.variant(candidate.variant)
    model = f"{bundle.card.name}/{variant.name}"
    row = find_row(model, candidate)
    check_options(row, candidate.options)
    devices = _find_devices(runtime, model, row, candidate.device)
    options = {**row.fixed, **row.performance.get(settings.objective, {}), **_from_plugin(row)}
    options |= row.by_precision.get(variant.precision, {})
    if row.device_option:
        options[row.device_option] = candidate.device
    if row.threads_option and candidate.device == "CPU":
        options[row.threads_option] = str(candidate.threads)
    if settings.cache is not None:
        options |= {name: value.format(folder=settings.cache) for name, value in row.cache.items()}
    if settings.strict and "offload_graph_io_quantization" in row.options:
        options["offload_graph_io_quantization"] = "0"  # else Q and DQ at the graph's edge stay on the CPU
    entries: dict[str, str] = {}
    for name, value in candidate.options.items():
        (options if row.options[name].scope == "provider" else entries)[name] = value
    return SessionPlan(
        model=model,
        variant=variant,
        candidate=candidate,
        row=row,
        settings=settings,
        options=options,
        entries=entries,
        devices=devices,
        emulated=platform.machine() in row.devices[candidate.device].emulated_on or _on_software(model, row),
    )


def find_row(model: str, candidate: Candidate) -> Row:
    """The candidate's row. Raises: ProviderError: no such row, or it has no such device."""
    row = TABLE.get(candidate.provider)
    if row is None or row.engine != candidate.engine:
        known = ", ".join(sorted(row.id for row in TABLE.values() if row.engine == candidate.engine))
        raise ProviderError(model, f"{candidate.engine} has no provider {candidate.provider!r}", f"it has {known}")
    if candidate.device not in row.devices:
        raise ProviderError(model, f"{row.id} has no device {candidate.device!r}", f"it has {', '.join(row.devices)}")
    return row


def open_session(runtime: ModuleType, plan: SessionPlan, *, profile: Path | None = None) -> Any:
    """A session whose first provider is the one that was asked for.

    Args: profile: a file's path without ending: times of every node are written there.
    Raises: ProviderError: another provider would run. EngineError: ONNX Runtime refuses the file. BundleError: a file
        was replaced since the bundle was verified, or the graph names other files than the card.
    """
    options = session_options(runtime, plan)
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile)
    try:
        load_from_packages(plan.row.preload)
    except OSError as error:
        raise ProviderError(plan.model, f"a library of {plan.row.id} does not load: {error}") from error
    if plan.row.preload and (missing := unloadable(plan.row.libraries)):
        # ONNX Runtime itself would tell of its own source files, or run on the CPU.
        names = ", ".join(group.replace("|", " or ") for group in missing)
        raise ProviderError(plan.model, f"{plan.row.id} needs {names}, which cannot be loaded here", _MOUNT)
    providers: list[Any] | None = None
    if plan.row.way == "built-in":
        providers = [(plan.row.ep, plan.options), *plan.row.also]
    model, kept = model_content(plan, options)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # "specified provider is not available" comes as a warning only
            session = runtime.InferenceSession(model, options, providers=providers, enable_fallback=0)
    except UserWarning as warning:
        raise ProviderError(plan.model, first_line(warning)) from warning
    except Exception as error:  # ONNX Runtime's own classes share no base
        if plan.settings.strict and "disable_cpu_ep_fallback" in str(error):
            reason = f"{plan.row.ep} leaves nodes to the CPU, and none may run there"
            raise ProviderError(plan.model, reason, "use another variant, or do not require the provider") from error
        raise EngineError(plan.model, f"ONNX Runtime refuses it: {first_line(error)}") from error
    # ONNX Runtime's wrapper keeps the bytes for its fall-back, which is off: the session has its own copy.
    session._model_bytes = None  # noqa: SLF001
    session.vigie_keeps = kept  # ONNX Runtime reads external data where they are, and does not own them
    first = session.get_providers()[0]
    if first != plan.row.ep:
        raise ProviderError(plan.model, f"{plan.row.ep} was asked for, {first} would run", SEE_DOCTOR)
    _give_hints(session, plan)
    return session


def _give_hints(session: Any, plan: SessionPlan) -> None:
    hints = plan.row.hints.get(plan.settings.objective, {})
    if not hints:
        return
    try:
        session.set_ep_dynamic_options(hints)
    except Exception as error:  # ONNX Runtime's own classes share no base
        raise EngineError(plan.model, f"{plan.row.ep} refuses {hints}: {first_line(error)}") from error


def model_content(plan: SessionPlan, options: Any) -> tuple[bytes | str, dict[str, bytes]]:
    """What to open: the verified bytes, with their external data put into ``options``; or the compiled file's path.

    Returns: also what must live as long as the session.
    Raises: BundleError: see ``Variant.read``. EngineError: this ONNX Runtime takes no external data from memory.
    """
    if plan.compiled is not None:
        return str(plan.compiled), {}
    content = plan.variant.read()
    if content.external:
        if not hasattr(options, "add_external_initializers_from_files_in_memory"):
            raise EngineError(plan.model, "this ONNX Runtime takes no external data from memory", "update it")
        names, buffers = list(content.external), list(content.external.values())
        options.add_external_initializers_from_files_in_memory(names, buffers, [len(one) for one in buffers])
    return content.graph, content.external


def session_options(runtime: ModuleType, plan: SessionPlan) -> Any:
    """ONNX Runtime's options for the plan; with the devices of a plugin provider already in them."""
    options = runtime.SessionOptions()
    options.intra_op_num_threads = plan.candidate.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4 if plan.row.way == "plugin" else 3  # plugins report unsupported nodes as errors
    # Spinning between frames burns CPU that the other modules need; the objective says when it may.
    spin = "1" if plan.settings.spin else "0"
    entries = {"session.intra_op.allow_spinning": spin, "session.inter_op.allow_spinning": spin}
    entries |= {_RECORD_ASSIGNMENT: "1", **plan.entries}
    if plan.settings.strict and plan.row.ep != _CPU:
        entries["session.disable_cpu_ep_fallback"] = "1"
    for name, value in entries.items():
        options.add_session_config_entry(name, value)
    if plan.row.own_optimiser:
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    if plan.row.way == "plugin":
        options.add_provider_for_devices(list(plan.devices), plan.options)
    return options


def _on_software(model: str, row: Row) -> bool:
    """True if the row's GPU is a software driver of Vulkan. Raises: ProviderError: Vulkan sees no GPU at all."""
    if not row.vulkan:
        return False
    found = use_real_ones_only()
    if not found:
        raise ProviderError(model, "Vulkan sees no GPU here", "put its driver into the image (docs/hardware.md)")
    return all(adapter.kind == "cpu" for adapter in found)


def _find_devices(runtime: ModuleType, model: str, row: Row, device: str) -> tuple[Any, ...]:
    package = row.packages[0]
    get_it = f"install {package.name}" + (f" (vigie[{package.extra}])" if package.extra else "")
    if row.way == "built-in":
        get_it += " in place of onnxruntime" if package.name != "onnxruntime" else ""
        available = runtime.get_available_providers()
        if row.ep not in available:
            raise ProviderError(model, f"{row.ep} is not installed here; available: {', '.join(available)}", get_it)
        return ()
    if not hasattr(runtime, "register_execution_provider_library"):
        raise ProviderError(
            model, f"ONNX Runtime {runtime.__version__} has no plugin providers", "update it to 1.23 or newer"
        )
    try:
        found = plugin_devices(runtime, row.plugin_module, row.ep)
    except ImportError as error:
        raise ProviderError(model, f"{package.name} is not installed here", get_it) from error
    except Exception as error:  # ONNX Runtime's own classes share no base
        raise ProviderError(model, f"the library of {row.ep} does not load: {first_line(error)}") from error
    wanted = row.device_type.get(device, device)
    matching = [item for kind in wanted.split("|") for item in found if str(item.device.type).endswith(f".{kind}")]
    if not matching:
        seen = ", ".join(str(item.device.type).rpartition(".")[2] for item in found) or "none"
        raise ProviderError(model, f"{row.ep} sees no {wanted} here (it sees: {seen})", SEE_DOCTOR)
    return (matching[0],)


def _from_plugin(row: Row) -> dict[str, str]:
    if not row.from_plugin:
        return {}
    module = importlib.import_module(row.plugin_module)
    return {name: str(getattr(module, function)()) for name, function in row.from_plugin.items()}
