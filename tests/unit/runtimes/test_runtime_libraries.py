"""Libraries that pip's packages bring are loaded by path, in the order given, before a provider looks for them."""

from __future__ import annotations

import _ctypes
import shutil
from pathlib import Path

import pytest

from vigie.runtimes.providers import TABLE
from vigie.runtimes.runtime_libraries import load_from_packages, unloadable

A_LIBRARY = Path(_ctypes.__file__)


def mapped() -> str:
    return Path("/proc/self/maps").read_text(encoding="utf-8")


def test_a_library_of_a_package_is_loaded_and_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "nvidia/cu13/lib"
    folder.mkdir(parents=True)
    for name in ("libcudart.so.13", "libcublas.so.13"):
        shutil.copy(A_LIBRARY, folder / name)
    monkeypatch.syspath_prepend(tmp_path)
    loaded = load_from_packages(TABLE["cuda"].preload)
    assert [Path(path).name for path in loaded] == ["libcudart.so.13", "libcublas.so.13"]
    assert all(path in mapped() for path in loaded)


def test_without_such_a_package_nothing_is_loaded() -> None:
    assert load_from_packages(("nvidia/*/lib/libno-such.so.1",)) == []


def test_a_library_that_does_not_load_is_an_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "nvidia/cudnn/lib/libcudnn.so.9"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"not a library")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(OSError, match=r"libcudnn\.so\.9"):
        load_from_packages(TABLE["tensorrt"].preload)


def test_one_library_of_a_group_is_enough_and_the_missing_group_is_named() -> None:
    assert unloadable(("libno-such.so.2|libc.so.6", "libno-such.so.2|libno-such.so.1")) == [
        "libno-such.so.2|libno-such.so.1"
    ]
