"""Dockerfiles, locks, module.json and the table of images say the same."""

from __future__ import annotations

import fnmatch
import importlib.metadata
import json
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from vigie_devkit.images import catalogue
from vigie_devkit.images.catalogue import HARDWARE_KEYS, HUB, IMAGES, MODULES, Image, image_for
from vigie_devkit.images.context import files_of
from vigie_devkit.images.dockerfile import dockerfile
from vigie_devkit.images.errors import BadReferenceError, NoSuchImageError
from vigie_devkit.images.locked import locked
from vigie_devkit.images.names import reference

ROOT = Path(__file__).parents[3]
EACH = pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.label)
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)", re.MULTILINE)


def pins(lock: str) -> dict[str, set[str]]:
    """Name to ``{version, sha256...}``."""
    found: dict[str, set[str]] = {}
    for line in (ROOT / lock).read_text().splitlines():
        if match := PIN.match(line):
            current = found.setdefault(canonicalize_name(match[1]), {match[2]})
        elif match := re.match(r"\s+--hash=(\S+)", line):
            current.add(match[1])
    return found


def is_of_the_engine(image: Image, name: str) -> bool:
    """Beside what the plain image has; two ONNX Runtimes would hide each other."""
    return any(fnmatch.fnmatch(name, pattern) for pattern in image.engine)


@EACH
def test_the_dockerfile_is_what_the_template_gives(image: Image) -> None:
    assert (ROOT / image.dockerfile).read_text() == dockerfile(image), "run ./vigie images write"


@EACH
def test_the_lock_pins_what_the_runs_lock_pins_with_the_same_hashes(image: Image) -> None:
    whole = pins("requirements.lock")
    for name, facts in pins(image.lock).items():
        if is_of_the_engine(image, name):
            continue  # optional, so not in the lock of every first start
        assert facts == whole[name], name


@EACH
def test_the_lock_holds_exactly_what_the_distribution_asks_for_and_what_that_needs(image: Image) -> None:
    wanted: set[str] = set()
    asked = [Requirement(f"vigie[{','.join(image.extras)}]")]
    if image.name == HUB:
        asked.append(Requirement("cryptography"))
    else:
        own = importlib.metadata.distribution(f"vigie-{image.name}").requires or []
        assert {extra for text in own for extra in Requirement(text).extras} <= set(image.extras)
    while asked:
        requirement = asked.pop()
        name = canonicalize_name(requirement.name)
        if is_of_the_engine(image, name):
            continue  # not installed here
        for text in importlib.metadata.distribution(name).requires or []:
            needed = Requirement(text)
            environments = [{"extra": extra, "python_version": "3.11"} for extra in (*requirement.extras, "")]
            if needed.marker is None or any(needed.marker.evaluate(one) for one in environments):
                asked.append(needed)
        wanted.add(name)
    found = {name for name in locked(image) if not is_of_the_engine(image, name)}
    assert found == wanted - {"vigie"} - image.replaced
    for pattern in image.engine:
        assert fnmatch.filter(pins(image.lock), pattern), f"{pattern} is in no lock"


@pytest.mark.parametrize("module", MODULES)
def test_module_json_maps_every_hardware_key_to_the_dockerfile_that_is_used_for_it(module: str) -> None:
    content = json.loads((ROOT / f"modules/{module}/module.json").read_text())
    platforms = content["image"]["tag"]["platforms"]
    assert tuple(sorted(platforms)) == tuple(sorted(HARDWARE_KEYS))
    assert content["image"]["tag"]["version"] == catalogue.version()
    for key, path in platforms.items():
        image = image_for(module, key)
        assert (ROOT / "modules" / module / path).resolve() == ROOT / image.dockerfile


@EACH
def test_the_context_of_docker_build_lets_in_what_the_dockerfile_copies_and_no_state(image: Image) -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    allowed = [rule[1:] for rule in rules if rule.startswith("!")]

    def let_in(path: str) -> bool:
        parts = path.split("/")
        prefixes = ["/".join(parts[: n + 1]) for n in range(len(parts))]
        return any(fnmatch.fnmatch(prefix, rule) for prefix in prefixes for rule in allowed)

    for path in files_of(image):
        name = str(path.relative_to(ROOT))
        assert let_in(name) or name == image.dockerfile, name
    for secret in (".vigie/runs/x/secrets/y", ".venv/pyvenv.cfg", ".git/config", ".env", "deploy/.env"):
        assert not let_in(secret), secret


def test_a_key_without_an_image_of_its_own_uses_its_processors() -> None:
    assert image_for("camera", "amd64-openvino") is image_for("camera", "amd64")
    assert image_for("inference", "amd64-openvino") is not image_for("inference", "amd64")


@pytest.mark.parametrize(
    ("name", "key", "said"),
    [
        ("camera", "amd65", "hardware key 'amd65'"),
        ("kamera", "amd64", "module 'kamera'"),
    ],
)
def test_what_there_is_not_is_said_with_what_there_is(name: str, key: str, said: str) -> None:
    with pytest.raises(NoSuchImageError, match=said):
        image_for(name, key)


@pytest.mark.parametrize(
    ("key", "registry", "tag", "expected"),
    [
        ("", "", "", "vigie-camera:{version}-amd64"),
        ("amd64-openvino", "", "", "vigie-camera:{version}-amd64-openvino"),
        ("", "MyRegistry.azurecr.io".lower(), "1.2.3", "myregistry.azurecr.io/vigie-camera:1.2.3-amd64"),
        ("", "localhost:5000/line-4", "", "localhost:5000/line-4/vigie-camera:{version}-amd64"),
    ],
)
def test_a_reference_is_the_one_that_iotedgedev_writes(key: str, registry: str, tag: str, expected: str) -> None:
    image = image_for("camera", "amd64")
    assert reference(image, key, registry=registry, tag=tag) == expected.format(version=catalogue.version())


@pytest.mark.parametrize(
    ("registry", "tag"), [("https://r.example", ""), ("UPPER", ""), ("", "a b"), ("", ".x"), ("r/", "")]
)
def test_a_registry_or_tag_that_no_engine_takes_is_refused(registry: str, tag: str) -> None:
    with pytest.raises(BadReferenceError):
        reference(image_for("camera", "amd64"), registry=registry, tag=tag)
