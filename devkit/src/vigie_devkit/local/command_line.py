"""Keeps passwords out of the command line of `up`, which everybody on the machine can read."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from vigie_devkit.local.sources import hide_passwords, name_for, unique


def without_passwords(words: Sequence[str]) -> None:
    """Where a source on the command line holds a password: run this command again without it, in the same process.

    Everybody on the machine reads command lines (`ps`). The value goes on in a memory file that only this process has.
    """
    names: list[str] = []
    taken: dict[str, tuple[str, dict[str, str]]] = {}
    for word in words:
        names.append(unique(name_for(word), names))
        if "://" in word:
            taken[word] = hide_passwords(word, names[-1])
    if not any(secrets for _, secrets in taken.values()):
        return
    files: list[str] = []
    for _, secrets in taken.values():
        for name, value in secrets.items():
            descriptor = os.memfd_create("secret", 0)
            os.write(descriptor, value.encode())
            os.set_inheritable(descriptor, True)
            files += ["--secret", f"{name}=/dev/fd/{descriptor}"]
    words_now = [taken[word][0] if word in taken else word for word in sys.orig_argv[1:]]
    _run_again([*words_now, *files])


def _run_again(words: list[str]) -> NoReturn:
    os.execv(sys.executable, [sys.executable, *words])  # noqa: S606 - this very command
