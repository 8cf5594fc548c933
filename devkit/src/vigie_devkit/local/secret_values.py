"""Where a run gets the secrets that its sources name: `--secret NAME=FILE`, a folder, a variable, or a question.

None of them stays: not in the command line of `up` (`command_line`), not in the environment of what it starts
(`forget`), and the files that the camera module reads are removed at the end.
"""

from __future__ import annotations

import getpass
import sys
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vigie_devkit.local.errors import SourceError, UsageError

_LIMIT_BYTES = 4096
VARIABLE = "VIGIE_SECRET_"


@dataclass(frozen=True)
class SecretValues:
    """``files``: by name, as given; ``environ``: looked at for ``VIGIE_SECRET_NAME`` and ``NAME``."""

    environ: MutableMapping[str, str]
    files: dict[str, Path] = field(default_factory=dict)
    may_ask: bool = False

    def find(self, name: str, template: str) -> str:
        """The value of secret ``name`` of the source ``template``.

        Raises: SourceError: nobody gave it.
        """
        folder = Path(self.environ.get("VIGIE_SECRETS", "/run/secrets"))
        if name in self.files:
            return _read(self.files[name], name)
        if (folder / name).is_file():
            return _read(folder / name, name)
        for variable in (VARIABLE + name, name):
            if variable in self.environ:
                return self.environ[variable]
        if self.may_ask:
            return getpass.getpass(f"{name} (for {template}): ")
        raise SourceError(
            f"{template} names a secret {name}: pass --secret {name}=FILE, write {folder / name} "
            f"or set {VARIABLE}{name}"
        )

    def forget(self, names: Sequence[str]) -> None:
        """Take the variables of ``names``, and every other secret's, out of the environment that children get."""
        for variable in [one for one in self.environ if one.startswith(VARIABLE)] + list(names):
            self.environ.pop(variable, None)


def secret_values(given: Sequence[str], environ: MutableMapping[str, str]) -> SecretValues:
    """From the words of ``--secret``. Raises: UsageError: one is not NAME=FILE."""
    files: dict[str, Path] = {}
    for word in given:
        name, equals, file = word.partition("=")
        if not (equals and name.isidentifier() and name.isascii() and file):
            raise UsageError(f"--secret takes NAME=FILE, got {name if equals else 'a word without ='!r}")
        files[name] = Path(file)
    return SecretValues(environ, files, may_ask=sys.stdin.isatty() and sys.stderr.isatty())


def _read(file: Path, name: str) -> str:
    try:
        with file.open("rb") as opened:
            content = opened.read(_LIMIT_BYTES + 1)
        if not content or len(content) > _LIMIT_BYTES:
            raise SourceError(f"the file of secret {name} ({file}) must hold 1 to {_LIMIT_BYTES} bytes")
        return content.decode().removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"secret {name} cannot be read from {file} ({error})") from None
