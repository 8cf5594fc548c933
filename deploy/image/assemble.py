"""What an image holds, put together in a Dockerfile's build stage; standard library only, nothing of it is shipped.

    python assemble.py dependencies LOCK [DECODER] what the lock pins, by hash: /out/env/opt/vigie/env
    python assemble.py distributions FOLDER...      our own distributions: /out/app/opt/vigie/app
    python assemble.py sbom FILE BASE               the bill of materials, completed: /out/app/opt/vigie/sbom.cdx.json
    python assemble.py debian PACKAGE...            files of the distribution's packages: /out/debian
    python assemble.py root UID:GID                 the account, and an empty folder

``/out/<layer>/`` is copied onto ``/``: so the folders above have a fixed age too, and the layer is the same every time.

Files beside this one in ``given/`` change where pip looks, for this stage only: wheels (then no index is asked),
``pip.conf`` (mirror, credentials) and ``ca.pem`` (a private certificate authority).
Two builds of the same checkout give the same bytes, so that an upgrade transfers the layer that changed and no other.
"""

from __future__ import annotations

import compileall
import csv
import hashlib
import json
import os
import py_compile
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
GIVEN = HERE / "given"
TOOLS = HERE / "tools"
ENVIRONMENT = Path("/opt/vigie/env")
APP = Path("/opt/vigie/app")
OUT = Path("/out")
AGE = 315532800  # 1980: the first that zip files, and so wheels, can tell

# paho-mqtt 1.6.1, which azure-iot-device pins, was published as source only; it is pure Python.
SOURCE_ONLY = "paho-mqtt"

# Parts of packages that no module imports: their own tests, headers to compile against, stubs for type checkers,
# and what converts, quantizes or benchmarks models (the dev kit's work). Licences and notices always stay.
UNUSED = (
    "*/tests",
    "numpy/_core/include",
    "numpy/_core/lib",
    "numpy/_pyinstaller",
    "numpy/f2py",
    "numpy/random/lib",
    "onnxruntime/backend",
    "onnxruntime/datasets",
    "onnxruntime/quantization",
    "onnxruntime/tools",
    "onnxruntime/transformers",
    "*.pyi",
    "*.pxd",
    "*.pyx",
    "*.h",
    "*.c",
    "*.a",
)
DECODERS: dict[str, set[str]] = {"pyav": set(), "opencv": {"av"}}
KEPT = re.compile(r"licen[sc]e|notice|copying|authors", re.IGNORECASE)


def main(words: list[str]) -> None:
    step, *arguments = words
    if step == "dependencies":
        lock = HERE / arguments[0]
        install_dependencies(lock if len(arguments) == 1 else with_decoder(lock, arguments[1]))
    elif step == "distributions":
        install_distributions([HERE / folder for folder in arguments])
    elif step == "sbom":
        complete_sbom(HERE / arguments[0], arguments[1])
    elif step == "debian":
        take_debian(arguments)
    elif step == "root":
        make_root(arguments[0])
    else:
        raise SystemExit(f"assemble.py: no step {step!r}")


def install_dependencies(lock: Path) -> None:
    run(sys.executable, "-m", "venv", str(TOOLS))
    wheels = HERE / "wheels"
    pip("install", "--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", str(HERE / "tools.lock"))
    pip(
        "wheel", "--require-hashes", "--no-deps", "--no-build-isolation", "--only-binary", ":all:",
        "--no-binary", SOURCE_ONLY, "--wheel-dir", str(wheels), "-r", str(lock),
    )  # fmt: skip
    run(sys.executable, "-m", "venv", "--without-pip", str(ENVIRONMENT))
    found = sorted(str(path) for path in wheels.glob("*.whl"))
    pip("--python", str(python_of(ENVIRONMENT)), "install", "--no-index", "--no-deps", "--no-compile", *found)
    packages = packages_of(ENVIRONMENT)
    (packages / "vigie.pth").write_text(f"{APP}\n", encoding="ascii")
    remove_unused(packages)
    forget_origin(packages)
    compile_once(ENVIRONMENT)
    # Made where it will be, since its paths are absolute; moved to where the last stage copies from.
    target = OUT / "env" / ENVIRONMENT.relative_to("/")
    target.parent.mkdir(parents=True)
    shutil.move(ENVIRONMENT, target)
    set_age(OUT / "env")


def with_decoder(lock: Path, decoder: str) -> Path:
    """The lock without the decoders that were not chosen. OpenCV stays: it resizes and writes JPEGs too."""
    if decoder not in DECODERS:
        raise SystemExit(f"assemble.py: DECODER is {decoder!r}; expected one of {', '.join(DECODERS)}")
    left_out = DECODERS[decoder]
    return without_packages(lock, left_out) if left_out else lock


def without_packages(lock: Path, names: set[str]) -> Path:
    """A lock like ``lock`` without these packages: for an image that must not contain them."""
    kept, skipping, left_out = [], False, set()
    for line in lock.read_text(encoding="utf-8").splitlines(keepends=True):
        if not line.startswith((" ", "#")):
            name = line.partition("==")[0].strip()
            skipping = name in names
            left_out |= {name} & names
        if not skipping:
            kept.append(line)
    if left_out != names:
        raise SystemExit(f"assemble.py: {lock.name} does not name {', '.join(sorted(names - left_out))}")
    shorter = lock.with_name(f"without-{'-'.join(sorted(names))}.{lock.name}")
    shorter.write_text("".join(kept), encoding="utf-8")
    return shorter


def install_distributions(folders: list[Path]) -> None:
    """Ours are a layer of their own, some hundred kilobytes: the one that an upgrade replaces."""
    wheels = HERE / "own"
    pip(
        "wheel", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels),
        *(str(folder) for folder in folders), SOURCE_DATE_EPOCH=str(AGE),
    )  # fmt: skip
    found = sorted(str(path) for path in wheels.glob("*.whl"))
    target = OUT / "app" / APP.relative_to("/")
    pip("install", "--no-index", "--no-deps", "--no-compile", "--target", str(target), *found)
    forget_origin(target)
    compile_once(target, shown=APP)
    set_age(OUT)


def complete_sbom(source: Path, base: str, given: Path = HERE, out: Path = OUT) -> None:
    """What only this stage knows: the base that was given, and the sha256 of each wheel that was installed.

    Packages that were not installed (a decoder that was not chosen) are left out.
    """
    bom = json.loads(source.read_text(encoding="utf-8"))
    wheels = {}
    for file in sorted((given / "wheels").glob("*.whl")):
        name = re.sub(r"[-_.]+", "-", file.name.partition("-")[0]).lower()
        wheels[name] = hashlib.sha256(file.read_bytes()).hexdigest()
    kept = []
    for component in bom["components"]:
        if component["bom-ref"].startswith("pypi/"):
            if component["name"] not in wheels:
                continue
            if component["name"] != SOURCE_ONLY:  # its wheel is made here, its source is in the lock
                component["hashes"] = [{"alg": "SHA-256", "content": wheels[component["name"]]}]
        elif component["type"] == "container":
            component["name"] = base
        kept.append(component)
    bom["components"] = kept
    bom["dependencies"][0]["dependsOn"] = [component["bom-ref"] for component in kept]
    target = out / "app" / "opt" / "vigie" / "sbom.cdx.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(bom, indent=1) + "\n", encoding="utf-8")


def take_debian(names: list[str]) -> None:
    """Install packages and what they need in this stage, then take their files and their entries in dpkg's list.

    The entries go to ``status.d``, where scanners of images look for packages that came as files.
    """
    before = installed_by_dpkg()
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", "update", environment=environment)
    run("apt-get", "install", "--yes", "--no-install-recommends", *names, environment=environment)
    target = OUT / "debian"
    for name in sorted(installed_by_dpkg() - before):
        for line in asked("dpkg-query", "--listfiles", name).splitlines():
            take_file(Path(line), target)
        entry = target / "var/lib/dpkg/status.d" / name.partition(":")[0]
        entry.parent.mkdir(parents=True, exist_ok=True)
        entry.write_text(asked("dpkg-query", "--status", name), encoding="utf-8")
    set_age(target)


def take_file(path: Path, target: Path) -> None:
    """Copy one file or link of a package; of its papers only the licence. ``/lib`` is a link in the base: resolved."""
    if path.is_dir() or not (path.exists() or path.is_symlink()):
        return
    papers = re.match(r"/usr/share/(doc|man|lintian|bug|locale|info)/", str(path))
    if papers and path.name != "copyright":
        return
    copied = target / (path.parent.resolve() / path.name).relative_to("/")
    copied.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path, copied, follow_symlinks=False)


def installed_by_dpkg() -> set[str]:
    return set(asked("dpkg-query", "--show", "--showformat", "${binary:Package}\\n").split())


def asked(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def make_root(user: str) -> None:
    """Everything else that the image needs as files, so that its last stage runs no program."""
    uid, gid = user.split(":")
    accounts = {"passwd": f"vigie:x:{uid}:{gid}::/var/lib/vigie:/usr/sbin/nologin\n", "group": f"vigie:x:{gid}:\n"}
    for name, line in accounts.items():
        target = OUT / "root" / "etc" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(Path("/etc", name).read_text(encoding="utf-8") + line, encoding="utf-8")
    (OUT / "empty").mkdir(mode=0o750)
    set_age(OUT / "root")


def pip(*words: str, **extra: str) -> None:
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_CACHE_DIR": "1", **extra}
    environment["PIP_ROOT_USER_ACTION"] = "ignore"
    if (GIVEN / "pip.conf").exists():
        environment["PIP_CONFIG_FILE"] = str(GIVEN / "pip.conf")
    if (GIVEN / "ca.pem").exists():
        environment["PIP_CERT"] = str(GIVEN / "ca.pem")
    if any(GIVEN.glob("*.whl")):
        environment |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(GIVEN)}
    run(str(python_of(TOOLS)), "-m", "pip", *words, environment=environment)


def run(*command: str, environment: dict[str, str] | None = None) -> None:
    sys.stdout.flush()
    ended = subprocess.run(command, env=environment, check=False)
    if ended.returncode != 0:
        raise SystemExit(f"assemble.py: {' '.join(command)[:300]} ended with {ended.returncode}")


def python_of(environment: Path) -> Path:
    return environment / "bin" / "python"


def packages_of(environment: Path) -> Path:
    return next(environment.glob("lib/python3.*/site-packages"))


def remove_unused(packages: Path) -> None:
    for pattern in UNUSED:
        for path in list(packages.glob(pattern if "/" in pattern and "*" not in pattern else f"**/{pattern}")):
            if ".dist-info" in str(path.relative_to(packages)) or KEPT.search(path.name):
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    forget_missing(packages)


def forget_origin(packages: Path) -> None:
    """Remove pip's notes of where a wheel lay: a folder of this stage, which tells nobody anything."""
    for written in packages.glob("*.dist-info/direct_url.json"):
        written.unlink()
    forget_missing(packages)


def forget_missing(packages: Path) -> None:
    """RECORD lists what is there: inventories of images read it."""
    for record in packages.glob("*.dist-info/RECORD"):
        with record.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.reader(file) if row and (packages / row[0]).exists()]
        with record.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)


def compile_once(tree: Path, *, shown: Path | None = None) -> None:
    """Byte code for all starts: the root is read-only at run time. ``shown``: the path that tracebacks name."""
    # unchecked: nobody edits a file in an image, and no stat() per import is needed to know it.
    compileall.compile_dir(
        tree,
        quiet=1,
        force=True,
        workers=1,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        stripdir=str(tree),
        prependdir=str(shown or tree),
    )


def set_age(tree: Path) -> None:
    """One age for every file and folder, so that a layer's bytes depend on contents only."""
    for folder, names, files in os.walk(tree, topdown=False):
        for name in [*names, *files, "."]:
            os.utime(Path(folder, name), (AGE, AGE), follow_symlinks=False)


if __name__ == "__main__":
    main(sys.argv[1:])
