"""edgeHub's routes: parsed, compiled, evaluated and linted. Pure: no I/O, no clock."""

from vigie_edgehub.routes.config import HubConfig, parse_edgehub_desired
from vigie_edgehub.routes.lint import RouteFinding, Severity, lint_config
from vigie_edgehub.routes.message import (
    TELEMETRY_SOURCE,
    TWIN_CHANGE_SOURCE,
    RoutedMessage,
    module_source,
)
from vigie_edgehub.routes.table import (
    DEFAULT_PRIORITY,
    Destination,
    Endpoint,
    ModuleInput,
    Route,
    RouteTable,
    Upstream,
    compile_route,
    evaluate,
)

__all__ = [
    "DEFAULT_PRIORITY",
    "TELEMETRY_SOURCE",
    "TWIN_CHANGE_SOURCE",
    "Destination",
    "Endpoint",
    "HubConfig",
    "ModuleInput",
    "Route",
    "RouteFinding",
    "RouteTable",
    "RoutedMessage",
    "Severity",
    "Upstream",
    "compile_route",
    "evaluate",
    "lint_config",
    "module_source",
    "parse_edgehub_desired",
]
