"""A filter's program, run here as the kernel runs it: so arm64's numbers are tested on any machine."""

from __future__ import annotations

import errno
import os
import socket
import struct

import pytest

from vigie.sandbox.program import ALLOW, ERRNO, INSTRUCTION, KILL_PROCESS, Argument, Denied, filter_program
from vigie.sandbox.syscalls import ARM64, AUDIT_ARCH, HIGHEST, KERNEL, NUMBERS, X86_64, numbers_of
from vigie_camera.decode.backend import VideoOptions
from vigie_camera.decode.sandbox import forbidden
from vigie_camera.decode.wire import Task

PID = 4711
REFUSED = ERRNO | errno.EPERM
# Whatever decodes cannot live without these (asm/unistd_64.h, asm-generic/unistd.h).
NEEDED = {
    X86_64: {"read": 0, "write": 1, "close": 3, "mmap": 9, "brk": 12, "futex": 202, "connect": 42, "sendmsg": 46},
    ARM64: {"read": 63, "write": 64, "close": 57, "mmap": 222, "brk": 214, "futex": 98, "connect": 203, "sendmsg": 211},
}


def verdict(program: bytes, machine: str, number: int, *arguments: int, arch: int | None = None) -> int:
    """What the kernel does with one call: the eight instructions that our programs are made of."""
    given = [*arguments, *[0] * (6 - len(arguments))]
    called = struct.pack("<IIQ6Q", number, AUDIT_ARCH[machine] if arch is None else arch, 0, *given)
    code = list(INSTRUCTION.iter_unpack(program))
    at = accumulator = 0
    while True:
        operation, yes, no, value = code[at]
        at += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("<I", called, value)
        elif operation == 0x54:
            accumulator &= value
        elif operation == 0x06:
            return value
        else:
            fits = {0x15: accumulator == value, 0x25: accumulator > value, 0x35: accumulator >= value}[operation]
            at += yes if fits else no


def number(name: str, machine: str) -> int:
    (found,) = numbers_of((name,), machine)
    return found


def task(address: str) -> Task:
    return Task("dock", "video", address, VideoOptions(live="://" in address), "live")


@pytest.fixture(params=[X86_64, ARM64])
def machine(request: pytest.FixtureRequest) -> str:
    return request.param


def test_what_no_rule_names_is_allowed_and_the_first_rule_that_fits_decides(machine: str) -> None:
    rules = [Denied(("kill",), errno.ESRCH, (Argument(0, 7),)), Denied(("kill", "ptrace"))]
    program = filter_program(rules, machine)
    assert verdict(program, machine, NEEDED[machine]["read"]) == ALLOW
    assert verdict(program, machine, number("kill", machine), 7) == ERRNO | errno.ESRCH
    assert verdict(program, machine, number("kill", machine), 8) == REFUSED
    assert verdict(program, machine, number("ptrace", machine)) == REFUSED


def test_a_rule_with_several_conditions_wants_all_of_them(machine: str) -> None:
    rules = [Denied(("ioctl",), when=(Argument(1, 5), Argument(2, 1, mask=3), Argument(3, 0, equal=False, high=True)))]
    program, ioctl = filter_program(rules, machine), number("ioctl", machine)
    assert verdict(program, machine, ioctl, 0, 5, 9, 1 << 32) == REFUSED
    for arguments in ((0, 4, 9, 1 << 32), (0, 5, 8, 1 << 32), (0, 5, 9, 1)):
        assert verdict(program, machine, ioctl, *arguments) == ALLOW


def test_a_call_made_as_another_machine_s_ends_the_process(machine: str) -> None:
    program = filter_program([], machine)
    other = AUDIT_ARCH[ARM64 if machine == X86_64 else X86_64]
    assert verdict(program, machine, 1, arch=other) == KILL_PROCESS
    assert verdict(program, machine, 1, arch=0x40000003) == KILL_PROCESS  # i386


def test_a_call_of_the_x32_tables_ends_the_process() -> None:
    assert verdict(filter_program([], X86_64), X86_64, 0x40000000 | 59) == KILL_PROCESS


def test_calls_of_newer_kernels_are_answered_as_by_an_older_one(machine: str) -> None:
    program = filter_program([], machine)
    assert verdict(program, machine, HIGHEST) == ALLOW
    assert verdict(program, machine, HIGHEST + 1) == ERRNO | errno.ENOSYS


@pytest.mark.parametrize("address", ["/video/a.mp4", "rtsp://10.1.1.1/a"])
def test_a_decoder_can_do_its_work_and_nothing_of_the_kernel(machine: str, address: str) -> None:
    program = filter_program(forbidden(task(address), PID), machine)
    for needed in NEEDED[machine].values():
        assert verdict(program, machine, needed) == ALLOW
    for name in (*KERNEL, "execve", "execveat"):
        for refused in numbers_of((name,), machine):
            assert verdict(program, machine, refused) == REFUSED, name
    clone = number("clone", machine)
    assert verdict(program, machine, clone, 0x3D0F00) == ALLOW  # a thread, as glibc makes it
    assert verdict(program, machine, clone, 0x1200011) == REFUSED  # fork
    assert verdict(program, machine, number("clone3", machine)) == ERRNO | errno.ENOSYS
    assert verdict(program, machine, number("tgkill", machine), PID, PID, 6) == ALLOW  # abort
    assert verdict(program, machine, number("kill", machine), PID - 1, 9) == REFUSED
    openat = number("openat", machine)
    assert verdict(program, machine, openat, 0, 0, os.O_RDONLY | os.O_CLOEXEC) == ALLOW
    for flag in (os.O_WRONLY, os.O_RDWR, os.O_RDONLY | os.O_TRUNC, os.O_RDONLY | os.O_CREAT):
        assert verdict(program, machine, openat, 0, 0, flag | os.O_CLOEXEC) == ERRNO | errno.EACCES
    assert verdict(program, machine, number("prlimit64", machine), 0, 7, 0, 1 << 40) == ALLOW  # asking
    assert verdict(program, machine, number("prlimit64", machine), 0, 7, 1 << 40, 0) == REFUSED  # setting


def test_only_a_decoder_of_a_network_camera_gets_sockets_and_only_to_the_internet_s_families(machine: str) -> None:
    families = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.AF_NETLINK, socket.AF_PACKET, socket.AF_VSOCK)
    allowed = {}
    for address in ("/video/a.mp4", "rtsp://10.1.1.1/a"):
        program = filter_program(forbidden(task(address), PID), machine)
        answers = {family: verdict(program, machine, number("socket", machine), family) for family in families}
        allowed[address] = {family for family, answer in answers.items() if answer == ALLOW}
        assert {answer for answer in answers.values() if answer != ALLOW} == {ERRNO | errno.EAFNOSUPPORT}
    assert allowed == {"/video/a.mp4": set(), "rtsp://10.1.1.1/a": {socket.AF_INET, socket.AF_INET6}}


def test_no_call_stands_twice_in_a_table() -> None:
    for column in (0, 1):
        numbers = [pair[column] for pair in NUMBERS.values() if pair[column] is not None]
        assert len(numbers) == len(set(numbers))
