"""Threads from affinity and quota, read from a file system laid out here."""

from __future__ import annotations

from pathlib import Path

import pytest

from vigie.runtimes.threads import cpu_quota, thread_count, threads_available


def lay_out(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


@pytest.mark.parametrize(
    ("affinity", "quota", "expected"),
    [(8, None, 8), (8, 2.0, 2), (8, 1.5, 2), (8, 0.5, 1), (2, 16.0, 2), (1, 0.01, 1), (0, None, 1)],
)
def test_threads_are_the_affinity_cut_to_the_quota(affinity: int, quota: float | None, expected: int) -> None:
    assert thread_count(affinity, quota) == expected


V2 = "0::/system.slice/box.scope"
V1 = "4:cpu,cpuacct:/docker/abc\n3:memory:/docker/abc"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "max 100000"}, None),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "150000 100000"}, 1.5),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/system.slice/cpu.max": "200000 100000"}, 2.0),
        (
            {
                "proc/self/cgroup": V2,
                "sys/fs/cgroup/system.slice/cpu.max": "400000 100000",
                "sys/fs/cgroup/system.slice/box.scope/cpu.max": "50000 100000",
            },
            0.5,
        ),
        (
            {
                "proc/self/cgroup": V2,
                "sys/fs/cgroup/system.slice/cpu.max": "100000 100000",
                "sys/fs/cgroup/system.slice/box.scope/cpu.max": "max 100000",
            },
            1.0,
        ),
        (
            {
                "proc/self/cgroup": V1,
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "300000",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
            },
            3.0,
        ),
        (
            {
                "proc/self/cgroup": V1,
                "sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us": "100000",
            },
            None,
        ),
        ({"proc/self/cgroup": V1, "sys/fs/cgroup/memory/cpu.cfs_quota_us": "1000"}, None),
        ({"proc/self/cgroup": "0::/../../x", "sys/fs/cgroup/cpu.max": "100000 100000"}, 1.0),
        ({"proc/self/cgroup": "nonsense", "sys/fs/cgroup/cpu.max": "garbage here now"}, None),
    ],
    ids=[
        "no-files", "v2-unlimited", "v2", "v2-parent", "v2-tightest", "v2-parent-tighter", "v1-mount", "v1-unlimited",
        "v1-other-controller", "v2-outside-namespace", "garbage",
    ],
)  # fmt: skip
def test_the_tightest_quota_on_the_way_up_counts(tmp_path: Path, files: dict[str, str], expected: float | None) -> None:
    assert cpu_quota(lay_out(tmp_path, files)) == expected


def test_this_machine_has_at_least_one() -> None:
    assert threads_available() >= 1
