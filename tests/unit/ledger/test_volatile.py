"""Whether a folder survives a power loss at all."""

from __future__ import annotations

import pytest

from vigie.ledger.volatile import kind_of

MOUNTS = [
    "22 1 254:1 / / rw,relatime - ext4 /dev/root rw",
    "30 22 0:25 / /run rw,nosuid - tmpfs tmpfs rw,size=100k",
    "31 22 0:26 / /var/lib/vigie\\040state rw - tmpfs tmpfs rw",
    "32 22 254:2 / /run/disk rw - ext4 /dev/sdb rw",
]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/var/lib", None),
        ("/run/vigie", "tmpfs"),
        ("/run/disk/a", None),
        ("/var/lib/vigie state/x", "tmpfs"),
        ("/runner", None),
    ],
)
def test_the_deepest_mount_decides(path: str, expected: str | None) -> None:
    assert kind_of(MOUNTS, path) == expected
