"""Mistakes that keep a device from running what its manifest says: images, registries, logs, state, outages."""

from __future__ import annotations

from support.manifest_draft import Draft


def agent_schema(d: Draft) -> None:
    d.agent["schemaVersion"] = "9.9"


def credential_elsewhere(d: Draft) -> None:
    d.rendered()
    d.agent["runtime"]["settings"]["registryCredentials"] = {
        "acme": {"address": "r.exmple.com", "username": "devices", "password": "word"}
    }


def image_other_processor(d: Draft) -> None:
    d.rendered()
    d.settings("preprocess")["image"] = "r.example.com/vigie-preprocess:0.1.0-arm64v8"


def module_stopped(d: Draft) -> None:
    d.modules["preprocess"]["status"] = "stopped"


def route_short_outage(d: Draft) -> None:
    d.hub["routes"]["telemetry"]["timeToLiveSecs"] = 10


def state_missing(d: Draft) -> None:
    host = d.host("sync")
    host["Mounts"] = [mount for mount in host["Mounts"] if mount["Target"] != "/var/lib/vigie"]


def state_in_a_tmpfs(d: Draft) -> None:
    state_missing(d)
    d.host("sync")["Tmpfs"] = {"/var/lib/vigie": "size=16m"}


def log_size(d: Draft) -> None:
    d.host("sync")["LogConfig"]["Config"]["max-size"] = "10 MBs"


def log_files(d: Draft) -> None:
    d.host("sync")["LogConfig"]["Config"]["max-file"] = "0"


def log_unbounded(d: Draft) -> None:
    del d.host("sync")["LogConfig"]


def memory_of_inference(d: Draft) -> None:
    d.host("inference")["Memory"] = 8 << 20
