"""compose.yaml on a real engine: detections upstream, containers killed, one upgraded, what each may and reaches."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.containers import MODULES, SERVICES, Compose, compose_programs, composed, until
from vigie_devkit.images.build import BuildOptions, build
from vigie_devkit.images.catalogue import USERS, Image, image_for
from vigie_devkit.images.engine import ContainerEngine
from vigie_devkit.images.names import reference

pytestmark = [pytest.mark.docker, pytest.mark.timeout(1800)]

FLOW_WITHIN_S = 300  # inference first measures what runs the model best, beside whatever else CI does
BACK_WITHIN_S = 120


def more_items(flow: Compose, than: int, within_s: float, what: str) -> list[dict]:
    def look() -> list[dict]:
        items = flow.items_upstream()
        return items if len(items) > than else []

    try:
        return until(look, within_s, what)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{flow.logs()}") from None


def pid_one(flow: Compose, service: str) -> int:
    return flow.inspect(service)["State"]["Pid"]


def kill_nine(flow: Compose, service: str, image: str) -> None:
    """As the kernel would: `docker kill` is an operator's act, after which an engine restarts nothing."""
    pid = pid_one(flow, service)
    flow.engine.ask(
        "run", "--rm", "--pid", "host", "--user", "0", "--cap-add", "KILL", "--entrypoint", "python", image,
        "-I", "-c", f"import os; os.kill({pid}, 9)",
    )  # fmt: skip
    until(lambda: pid_one(flow, service) not in (0, pid), BACK_WITHIN_S, f"the engine started {service} again")


def test_detections_reach_upstream_and_name_the_synthetic_parts(flow: Compose) -> None:
    items = more_items(flow, 20, FLOW_WITHIN_S, "20 frames' detections upstream")
    assert {item["camera"] for item in items} == {"conveyor"}
    assert any(item["detections"] for item in items)


def test_every_container_becomes_healthy(flow: Compose) -> None:
    for service in SERVICES:
        until(
            lambda service=service: flow.inspect(service)["State"]["Health"]["Status"] == "healthy",
            FLOW_WITHIN_S,
            f"{service} is healthy",
        )


def test_an_operator_reads_twins_and_calls_methods_from_inside_the_hub(flow: Compose) -> None:
    def said(*words: str) -> dict:
        return json.loads(flow.execute("hub", "python", "-I", "-B", "-m", "vigie_devkit", *words))

    assert list(said("twin", "get", "camera", "--desired")["cameras"]) == ["conveyor"]
    assert said("method", "camera", "list_cameras")["cameras"]


def published(flow: Compose, path: str) -> tuple[int, str]:
    """Status and text of the composition's one port for metrics, asked from this machine."""
    (binding,) = flow.inspect("metrics")["NetworkSettings"]["Ports"]["9600/tcp"]
    assert binding["HostIp"] == "127.0.0.1"
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{binding['HostPort']}{path}", timeout=15) as answered:
            return answered.status, answered.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_metrics_and_readiness_of_every_module_are_on_one_port_of_this_machine(flow: Compose) -> None:
    paths = published(flow, "/")[1].split()
    modules = {path.split("/")[1] for path in paths}
    assert modules >= set(MODULES)
    for module in sorted(modules):
        status, text = published(flow, f"/{module}/metrics")
        assert status == 200, text
        assert f'vigie_build_info{{module="{module}"' in text
    for module in MODULES:
        until(lambda module=module: published(flow, f"/{module}/readyz")[0] == 200, FLOW_WITHIN_S, f"{module} is ready")


def test_no_module_reaches_another_through_the_service_of_the_metrics(flow: Compose) -> None:
    places = [(host, 9600) for host in ("metrics", *addresses_of(flow, "metrics"))]
    for module in MODULES:
        heard = answers(flow, module, places)
        assert [said for said in heard if IS_A_MODULE in said or IS_THE_RELAY in said] == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_is_nobody_with_nothing_and_cannot_write_its_root(flow: Compose, service: str) -> None:
    look = (
        "import os, json\n"
        "lines = open('/proc/1/status').read().splitlines()\n"
        "status = dict(line.split(':\\t', 1) for line in lines if ':\\t' in line)\n"
        "def writes(path):\n"
        "    try: open(path + '/x', 'w').close()\n"
        "    except OSError as error: return error.strerror\n"
        "    os.unlink(path + '/x'); return 'written'\n"
        "print(json.dumps({'uid': status['Uid'].split(), 'caps': status['CapEff'], 'bounding': status['CapBnd'],\n"
        "  'no_new': status['NoNewPrivs'], 'root': writes('/'), 'app': writes('/opt/vigie/app'),\n"
        "  'etc': writes('/etc'), 'state': writes('/var/lib/vigie')}))"
    )
    seen = json.loads(flow.python(service, look))
    assert seen == {
        "uid": [str(USERS[service])] * 4,
        "caps": "0" * 16,
        "bounding": "0" * 16,
        "no_new": "1",
        "root": "Read-only file system",
        "app": "Read-only file system",
        "etc": "Read-only file system",
        "state": "written",
    }


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_has_the_memory_limit_that_the_kernel_enforces(flow: Compose, service: str) -> None:
    wanted = flow.inspect(service)["HostConfig"]["Memory"]
    look = (
        "import os\n"
        "v2, v1 = '/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes'\n"
        "print(open(v2 if os.path.exists(v2) else v1).read())"
    )
    assert wanted > 0
    assert int(flow.python(service, look)) == wanted


def mounted(flow: Compose, service: str, folder: str) -> str:
    """Type and options of what is mounted there, as the kernel has it; empty: nothing is."""
    lines = flow.execute(service, "cat", "/proc/mounts").splitlines()
    return next((" ".join(line.split()[2:4]) for line in lines if line.split()[1] == folder), "")


def test_frames_and_tensors_are_written_by_their_makers_alone_and_sync_sees_neither(flow: Compose) -> None:
    for folder, makes, reads in (("/frames", "camera", "preprocess"), ("/tensors", "preprocess", "inference")):
        assert mounted(flow, makes, folder).startswith("tmpfs rw,")
        assert mounted(flow, reads, folder).startswith("tmpfs ro,")
        look = f"import os; s = os.stat({folder!r}); print(s.st_dev, s.st_uid, s.st_gid, oct(s.st_mode))"
        assert flow.python(makes, look) == flow.python(reads, look)
        assert flow.python(makes, look).split()[1:] == ["0", "1250", "0o43770"]
    for module, unseen in (("sync", "/frames"), ("sync", "/tensors"), ("inference", "/frames"), ("camera", "/tensors")):
        assert not mounted(flow, module, unseen), f"{module} needs no {unseen}"


TRY_EVERYTHING = """
import json, os, pathlib
done = []
def attempt(what, do):
    try: do()
    except OSError: return
    done.append(what)
for place in ("/frames", "/tensors", "/signals"):
    folder = pathlib.Path(place)
    if not os.path.ismount(place): continue
    for path in sorted(folder.iterdir()):
        if path.lstat().st_uid == os.getuid(): continue
        name = f"{path} of {path.lstat().st_uid}"
        if path.is_file():
            attempt("wrote " + name, lambda: os.close(os.open(path, os.O_WRONLY)))
        attempt("renamed " + name, lambda: path.rename(folder / "stolen"))
        attempt("replaced " + name, lambda: (folder / ".mine").touch() or (folder / ".mine").replace(path))
        attempt("removed " + name, path.unlink)
        attempt("opened " + name, lambda: path.chmod(0o666))
    if os.access(place, os.W_OK) and (folder / ".mine").exists(): (folder / ".mine").unlink()
others = {path.lstat().st_uid for place in ("/frames", "/tensors", "/signals") if os.path.ismount(place)
          for path in pathlib.Path(place).iterdir()} - {os.getuid()}
print(json.dumps({"done": done, "others": sorted(others)}))
"""


@pytest.mark.parametrize("module", MODULES)
def test_no_module_can_write_replace_or_remove_what_another_made(flow: Compose, module: str) -> None:
    more_items(flow, 5, FLOW_WITHIN_S, "a flow, so that rings, doorbells and cursors are there")
    tried = json.loads(flow.python(module, TRY_EVERYTHING))
    assert tried["done"] == []
    assert tried["others"], "nothing of another user was there to be tried"


ASKING = """
import asyncio, json, sys
async def answer(host, port):
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port), 3)
        writer.write(b"GET /healthz HTTP/1.0\\r\\n\\r\\n")
        return (await asyncio.wait_for(reader.read(4096), 5)).decode("latin-1")
    except (OSError, asyncio.TimeoutError):
        return ""
async def main(places):
    print(json.dumps(await asyncio.gather(*(answer(*place) for place in places))))
"""


def answers(flow: Compose, service: str, places: list[tuple[str, int]]) -> list[str]:
    """What each of ``places`` says to a GET of /healthz, all asked at once; empty if nobody is there.

    The answer counts, not the connection: a transparent proxy on the host's way out takes connections to anywhere.
    """
    heard: list[str] = json.loads(flow.python(service, f"{ASKING}asyncio.run(main({places!r}))"))
    return heard


def addresses_of(flow: Compose, service: str) -> list[str]:
    return [net["IPAddress"] for net in flow.inspect(service)["NetworkSettings"]["Networks"].values()]


IS_A_MODULE = '"stalled":'
IS_THE_STRANGER = "a stranger"
IS_THE_RELAY = "aiohttp"  # names itself in its answers, as 404 too


@pytest.fixture(scope="module")
def stranger(flow: Compose, images: dict[str, tuple[Image, str]]) -> Iterator[tuple[str, int]]:
    """Somebody beyond the containers' networks, as a camera on the site is: the host, at its own address."""
    code = (
        "import socket; s = socket.create_server(('0.0.0.0', 0))\n"
        "way_out = socket.socket(type=socket.SOCK_DGRAM); way_out.connect(('192.0.2.1', 9))\n"
        "print(way_out.getsockname()[0], s.getsockname()[1], flush=True)\n"
        f"while True:\n  c = s.accept()[0]; c.recv(4096); c.sendall(b'{IS_THE_STRANGER}'); c.close()"
    )
    container = flow.engine.ask(
        "run", "--detach", "--rm", "--network", "host", "--entrypoint", "python", images["sync"][1], "-I", "-c", code
    ).strip()
    try:
        said = until(lambda: flow.engine.ask("logs", container).strip(), 60, "the stranger listens")
        host, port = said.split()
        yield host, int(port)
    finally:
        flow.engine.ask("kill", container)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_reaches_the_hub_and_no_other_module(flow: Compose, module: str) -> None:
    flow.python(module, "import socket; socket.create_connection(('hub', 8883), 3).close()")
    others = [other for other in MODULES if other != module]
    places = [(host, 9600) for other in others for host in (other, *addresses_of(flow, other))]
    itself, *heard = answers(flow, module, [("127.0.0.1", 9600), *places])
    assert IS_A_MODULE in itself
    for other in others:
        said = [heard.pop(0) for _ in (other, *addresses_of(flow, other))]
        shared = {"camera", "sync"} == {module, other}  # both may reach the outside, which is one network
        assert any(IS_A_MODULE in one for one in said) is shared, (other, said)


@pytest.mark.parametrize("service", SERVICES)
def test_only_camera_and_sync_reach_beyond_the_hub(flow: Compose, stranger: tuple[str, int], service: str) -> None:
    [said] = answers(flow, service, [stranger])
    assert (IS_THE_STRANGER in said) is (service in {"camera", "sync"}), said


@pytest.mark.parametrize("service", SERVICES)
def test_after_kill_nine_the_engine_restarts_it_and_detections_flow_again(
    flow: Compose, images: dict[str, tuple[Image, str]], service: str
) -> None:
    kill_nine(flow, service, images["sync"][1])
    back = len(flow.items_upstream()) if service != "hub" else 0
    if service == "hub":
        until(lambda: flow.inspect("hub")["State"]["Health"]["Status"] == "healthy", BACK_WITHIN_S, "the hub is back")
        back = len(flow.items_upstream())
    more_items(flow, back + 10, BACK_WITHIN_S, f"10 more frames after kill -9 of {service}")


def test_a_stopped_container_ends_within_ten_seconds_with_its_own_exit_code(flow: Compose) -> None:
    flow.run("stop", "--timeout", "10", "preprocess")
    state = flow.inspect("preprocess")["State"]
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False)
    flow.run("start", "preprocess")
    more_items(flow, len(flow.items_upstream()) + 5, BACK_WITHIN_S, "5 more frames after a stop and a start")


def test_one_module_is_upgraded_on_kept_state_while_the_others_run_on(
    flow: Compose, images: dict[str, tuple[Image, str]], build_options: BuildOptions, tmp_path: Path
) -> None:
    image = images["sync"][0]
    newer = reference(image_for("sync", image.key), tag="under-test-newer")
    options = BuildOptions(cache=build_options.cache, version="0.1.1")
    build(flow.engine, image, [newer], options)
    (tmp_path / "newer.yaml").write_text(f'version: "3.7"\nservices:\n  sync:\n    image: {newer}\n', encoding="utf-8")
    before = {service: flow.container(service) for service in SERVICES}
    ledger = ledger_id(flow)

    flow.overrides.append(tmp_path / "newer.yaml")
    flow.run("up", "--detach", "--no-build", "--no-deps", "sync")

    more_items(flow, len(flow.items_upstream()) + 5, BACK_WITHIN_S, "5 more frames with the newer sync")
    after = {service: flow.container(service) for service in SERVICES}
    assert {service for service in SERVICES if before[service] != after[service]} == {"sync"}
    assert flow.inspect("sync")["Config"]["Labels"]["org.opencontainers.image.version"] == "0.1.1"
    assert ledger_id(flow) == ledger
    traces = [item["trace"] for item in flow.items_upstream()]
    assert len(traces) == len(set(traces)), "an event came twice"


def ledger_id(flow: Compose) -> str:
    """The ledger that the newest telemetry came from: kept state means the same one."""
    return flow.upstream()[-1]["body"]["boot"]


def test_volumes_of_user_1250_are_taken_over_with_everything_in_them(
    engine: ContainerEngine,
    images: dict[str, tuple[Image, str]],
    compose_words: list[str],
    flow_environment: dict[str, str],
    tmp_path: Path,
) -> None:
    """A device from before users of their own: everything ran as 1250 and keeps its files to itself."""
    former = tmp_path / "former.yaml"
    lines = [f"  {name}:\n    user: '1250:1250'\n    environment:\n      VIGIE_FILES: private" for name in MODULES]
    former.write_text("\n".join(['version: "3.7"', "services:", *lines, ""]), encoding="utf-8")
    owner = "import os; s = os.stat('/var/lib/vigie/ledger.db'); print(s.st_uid, oct(s.st_mode & 0o777))"
    with composed(
        engine, compose_words, "vigie-change-of-users", flow_environment, before=give_to_1250, also=[former]
    ) as flow:
        more_items(flow, 5, FLOW_WITHIN_S, "5 frames' detections as user 1250")
        before = ledger_id(flow)
        assert flow.python("sync", owner).split() == ["1250", "0o600"]

        # Frames, tensors and doorbells lie in volumes that the version before did not have: here, in empty ones.
        flow.run("stop")
        flow.overrides.clear()
        flow.run("up", "--detach", "--no-build")
        until(lambda: "state_folder_closed" in flow.run("logs", "sync"), 60, "sync says it waits")
        for module in MODULES:
            flow.engine.ask(
                "run", "--rm", "--network", "none", "--user", "1250:1250", "--cap-drop", "ALL", "--read-only",
                "--volumes-from", flow.container(module), "--entrypoint", "python", images["sync"][1],
                "-I", "-B", "-m", "vigie.open_state", "--once", "/var/lib/vigie",
            )  # fmt: skip
        count = len(flow.items_upstream())
        more_items(flow, count + 5, FLOW_WITHIN_S, "5 more frames under users of their own")
        until(lambda: ledger_id(flow) == before, BACK_WITHIN_S, "the ledger that was kept is the one that sends")
        traces = [item["trace"] for item in flow.items_upstream()]
        assert len(traces) == len(set(traces)), "an event came twice"


def give_to_1250(flow: Compose) -> None:
    """Volumes as the images of the version before made them."""
    flow.run("up", "--no-start", "--no-build")
    for module in MODULES:
        flow.engine.ask(
            "run", "--rm", "--network", "none", "--user", "0", "--volumes-from", flow.container(module),
            "--entrypoint", "chown", flow.inspect(module)["Config"]["Image"], "1250:1250", "/var/lib/vigie",
        )  # fmt: skip


@pytest.mark.parametrize("program", ["v1", "v2"])
def test_both_generations_of_compose_bring_the_flow_up(
    engine: ContainerEngine,
    images: dict[str, tuple[Image, str]],
    flow_environment: dict[str, str],
    compose_words: list[str],
    program: str,
) -> None:
    del images
    programs = compose_programs(engine)
    if program not in programs:
        pytest.skip(f"compose {program} is not installed")
    if programs[program] == compose_words:
        return  # every other test of this file ran on it
    with composed(engine, programs[program], f"vigie-other-{program}", flow_environment) as other:
        more_items(other, 5, FLOW_WITHIN_S, "5 frames' detections upstream")
