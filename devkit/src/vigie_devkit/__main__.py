"""``python -m vigie_devkit``: the command line."""

from __future__ import annotations

from vigie_devkit.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
