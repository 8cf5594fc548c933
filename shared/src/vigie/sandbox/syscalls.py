"""Numbers of the system calls that filters name, for both machines that images are built for.

Source: asm/unistd_64.h (x86-64) and asm-generic/unistd.h (arm64) of Linux 6.1; None: that machine does not have it.
"""

from __future__ import annotations

from typing import Final

Machine = str
Numbers = dict[str, tuple[int | None, int | None]]
X86_64: Final = "x86_64"
ARM64: Final = "aarch64"

# AUDIT_ARCH_*, linux/audit.h: what the kernel says a call was made as.
AUDIT_ARCH: Final[dict[Machine, int]] = {X86_64: 0xC000003E, ARM64: 0xC00000B7}
# Of both machines in the headers named above; what came later is answered as by an older kernel.
HIGHEST: Final = 450

KERNEL: Final[Numbers] = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "setns": (308, 268),
    "unshare": (272, 97),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "nfsservctl": (180, 42),
    "syslog": (103, 116),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "personality": (135, 92),
    "vhangup": (153, 58),
    "lookup_dcookie": (212, 18),
    "fanotify_init": (300, 262),
    "uselib": (134, None),
    "_sysctl": (156, None),
    "sysfs": (139, None),
    "ustat": (136, None),
}
"""Of the kernel, of namespaces, of other processes: no module of Vigie has a use for any of them."""

PROGRAMS: Final[Numbers] = {
    "execve": (59, 221),
    "execveat": (322, 281),
}
"""Another program in this process's place."""

PROCESSES: Final[Numbers] = {
    "fork": (57, None),
    "vfork": (58, None),
}
"""Another process; threads are ``clone`` with CLONE_THREAD, which is looked at apart."""

FILE_CHANGES: Final[Numbers] = {
    "creat": (85, None),
    "truncate": (76, 45),
    "ftruncate": (77, 46),
    "link": (86, None),
    "linkat": (265, 37),
    "symlink": (88, None),
    "symlinkat": (266, 36),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "rename": (82, None),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "mkdir": (83, None),
    "mkdirat": (258, 34),
    "rmdir": (84, None),
    "mknod": (133, None),
    "mknodat": (259, 33),
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "utime": (132, None),
    "utimes": (235, None),
    "utimensat": (280, 88),
    "futimesat": (261, None),
}
"""Whatever changes a file or folder by name or descriptor, other than opening it for writing."""

SIGNALS_BY_OTHER_WAYS: Final[Numbers] = {
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
}
"""Signals that do not name a process as ``kill`` does."""

INCOMING: Final[Numbers] = {
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
}
"""Being called upon."""

NUMBERS: Final[Numbers] = {
    **KERNEL,
    **PROGRAMS,
    **PROCESSES,
    **FILE_CHANGES,
    **SIGNALS_BY_OTHER_WAYS,
    **INCOMING,
    "clone": (56, 220),
    "clone3": (435, 435),
    "kill": (62, 129),
    "tgkill": (234, 131),
    "prctl": (157, 167),
    "prlimit64": (302, 261),
    "setrlimit": (160, 164),
    "open": (2, None),
    "openat": (257, 56),
    "openat2": (437, 437),
    "socket": (41, 198),
    "socketpair": (53, 199),
    "ioctl": (16, 29),
}
"""Of all calls that filters name, those above and those that they look at more closely."""


def numbers_of(names: tuple[str, ...], machine: Machine) -> list[int]:
    """The numbers of ``names`` on ``machine``, without those that it does not have."""
    column = (X86_64, ARM64).index(machine)
    return [number for name in names if (number := NUMBERS[name][column]) is not None]
