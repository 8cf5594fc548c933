"""Mistakes in a manifest's twins, shared folders, doorbells, secrets and isolation."""

from __future__ import annotations

import copy
from typing import Any

from support.manifest_draft import SYNTHETIC, Draft


def twin_deep(d: Draft) -> None:
    value: dict[str, Any] = {}
    for _ in range(12):
        value = {"a": value}
    d.parts["sync"] = {"properties.desired": {}}
    d.parts["sync"]["properties.desired"] = value


def twin_string(d: Draft) -> None:
    d.parts["sync"] = {"properties.desired": {}}
    d.parts["sync"]["properties.desired"] = {"report": "x" * 5000}


def twin_size(d: Draft) -> None:
    d.parts["sync"] = {"properties.desired": {}}
    d.parts["sync"]["properties.desired"] = {f"k{n}": "x" * 4000 for n in range(9)}


def twin_nearly_full(d: Draft) -> None:
    d.parts["sync"] = {"properties.desired": {}}
    d.parts["sync"]["properties.desired"] = {f"k{n}": "x" * 4000 for n in range(7)}


def twin_unknown_key(d: Draft) -> None:
    d.desired("camera")["cameras"] = {"dock": {"source": SYNTHETIC, "fsp": 3}}


def twin_range(d: Draft) -> None:
    d.desired("sync")["batch_items"] = 0


def twin_of_the_operator(d: Draft) -> None:
    d.desired("camera")["cameras"] = {}


def runtime_old(d: Draft) -> None:
    for name in ("edgeAgent", "edgeHub"):
        d.agent["systemModules"][name]["settings"]["image"] = (
            f"mcr.microsoft.com/azureiotedge-{name[4:].lower()}:1.5.21"
        )


def runtime_mixed(d: Draft) -> None:
    d.agent["systemModules"]["edgeHub"]["settings"]["image"] = "r.example.com/azureiotedge-hub:1.4.33-linux-amd64"


def camera_password(d: Draft) -> None:
    d.camera(source="rtsp://u:s3cret@192.0.2.1/s", slots=4)


def camera_scene(d: Draft) -> None:
    d.camera(source="synthetic://beach")


def frames_private(d: Draft) -> None:
    d.host("preprocess")["Mounts"] = []
    d.host("preprocess")["Tmpfs"] = {"/frames": "size=256m"}


def frames_missing(d: Draft) -> None:
    d.host("inference")["Mounts"] = d.host("inference")["Mounts"][:1]


def frames_elsewhere(d: Draft) -> None:
    d.modules["camera"]["env"]["VIGIE_FRAMES"]["value"] = "/ring"


def frames_two_volumes(d: Draft) -> None:
    d.frames("viewer")["Source"] = "other"


def frames_differ(d: Draft) -> None:
    d.tmpfs("viewer")["o"] = "size=64m,uid=0,gid=1250,mode=3770"


def frames_on_disk(d: Draft) -> None:
    for module in d.sharing:
        del d.frames(module)["VolumeOptions"]


def frames_owner(d: Draft) -> None:
    for module in d.sharing:
        d.tmpfs(module)["o"] = "size=256m,mode=0770"


def frames_in_sync(d: Draft) -> None:
    d.host("sync")["Mounts"].append(copy.deepcopy(d.frames("camera")))
    d.modules["sync"]["env"]["VIGIE_FRAMES"] = {"value": "/frames"}


def frames_writable(d: Draft) -> None:
    del d.frames("viewer")["ReadOnly"]


def frames_writable_by_preprocess(d: Draft) -> None:
    del d.frames("preprocess")["ReadOnly"]


def frames_read_only(d: Draft) -> None:
    d.frames("camera")["ReadOnly"] = True


def tensors_two_volumes(d: Draft) -> None:
    d.tensors("inference")["Source"] = "other"


def tensors_writable(d: Draft) -> None:
    del d.tensors("inference")["ReadOnly"]


def tensors_too_small(d: Draft) -> None:
    for module in ("preprocess", "inference"):
        d.tensors(module)["VolumeOptions"]["DriverConfig"]["Options"]["o"] = "size=2m,uid=0,gid=1250,mode=3770"


def user_of_another_module(d: Draft) -> None:
    d.options("viewer")["User"] = d.options("camera")["User"]


def frames_no_size(d: Draft) -> None:
    for module in d.sharing:
        d.tmpfs(module)["o"] = "size=50%,uid=0,gid=1250,mode=3770"


def frames_too_small(d: Draft) -> None:
    for _ in range(6):
        d.camera()


def frames_assumed(d: Draft) -> None:
    d.camera(source="rtsp://192.0.2.1/s")


def memory_without_ring(d: Draft) -> None:
    for module in d.sharing:
        d.tmpfs(module)["o"] = "size=1g,uid=0,gid=1250,mode=3770"
    for _ in range(8):
        d.camera()


def doorbell_shared(d: Draft) -> None:
    d.modules["archive"] = copy.deepcopy(d.modules["sync"])
    d.modules["archive"]["settings"]["image"] = "r.example.com/archive:1"
    d.route("archive", 'FROM /messages/modules/camera/* INTO BrokeredEndpoint("/modules/archive/inputs/frames")')


def doorbell_upstream(d: Draft) -> None:
    d.route("all", "FROM /messages/* INTO $upstream")


def doorbell_unknown(d: Draft) -> None:
    d.modules["inference"]["env"]["VIGIE_DOORBELLS"]["value"] = "detections events"


def audit_nowhere(d: Draft) -> None:
    d.modules["sync"]["env"]["VIGIE_AUDIT_UPSTREAM"] = {"value": "on"}


def signals_missing(d: Draft) -> None:
    d.modules["sync"]["env"]["VIGIE_SIGNALS"]["value"] = "/elsewhere"


def signals_differ(d: Draft) -> None:
    d.signals("sync")["Source"] = "other"


def signals_read_only(d: Draft) -> None:
    d.signals("sync")["ReadOnly"] = True


def signals_on_disk(d: Draft) -> None:
    for module in d.modules:
        del d.signals(module)["VolumeOptions"]


def signals_group(d: Draft) -> None:
    for module in d.modules:
        options = d.signals(module)["VolumeOptions"]["DriverConfig"]["Options"]
        options["o"] = "size=4m,uid=1250,gid=1250,mode=0770"


def memory_of_preprocess(d: Draft) -> None:
    d.desired("preprocess")["slots"] = 100


def memory_of_sync(d: Draft) -> None:
    d.host("sync")["Memory"] = 64 << 20


def secrets_not_mounted(d: Draft) -> None:
    del d.host("camera")["Binds"]


def secrets_never_found(d: Draft) -> None:
    d.camera(source="rtsp://u:${DOCK_1_PASSWORD}@192.0.2.1/s", slots=4)
    d.modules["camera"]["env"]["VIGIE_SECRETS"] = {"value": "/run/other"}


def secrets_writable(d: Draft) -> None:
    d.host("camera")["Binds"] = ["/etc/vigie/secrets:/run/secrets"]


def secrets_shared(d: Draft) -> None:
    d.host("sync")["Binds"] = ["/etc/vigie:/etc/vigie:ro"]


def engine_socket(d: Draft) -> None:
    d.host("sync")["Binds"] = ["/var/run/docker.sock:/var/run/docker.sock"]


def host_root(d: Draft) -> None:
    d.host("sync")["Binds"] = ["/:/host:ro"]


def host_root_as_mount(d: Draft) -> None:
    d.host("sync")["Mounts"].append({"Type": "bind", "Source": "/etc/", "Target": "/host-etc", "ReadOnly": True})


def host_network(d: Draft) -> None:
    d.host("sync")["NetworkMode"] = "host"


def host_network_of_azure(d: Draft) -> None:
    d.options("sync")["NetworkingConfig"] = {"EndpointsConfig": {"host": {}}}


def host_processes(d: Draft) -> None:
    d.host("sync")["PidMode"] = "host"


def seccomp_off(d: Draft) -> None:
    d.host("sync")["SecurityOpt"] = ["no-new-privileges", "seccomp=unconfined"]


def user_zero(d: Draft) -> None:
    d.options("sync")["User"] = "0:1250"


def capabilities_kept(d: Draft) -> None:
    del d.host("sync")["CapDrop"]


def password_by_name(d: Draft) -> None:
    d.modules["sync"]["env"]["DB_PASSWORD"] = {"value": "hunter2"}


def password_by_value(d: Draft) -> None:
    d.options("sync")["Env"] = ["STORE=HostName=h;SharedAccessKeyName=n;SharedAccessKey=aHVudGVyMg=="]


def password_in_a_url(d: Draft) -> None:
    d.modules["sync"]["env"]["BROKER"] = {"value": "amqp://me:hunter2@broker.example.com/"}


def disk_for_ever(d: Draft) -> None:
    d.camera()
    d.hub["routes"]["telemetry"].pop("timeToLiveSecs")
    d.hub["storeAndForwardConfiguration"]["timeToLiveSecs"] = -1


def disk_need(d: Draft) -> None:
    d.camera()
