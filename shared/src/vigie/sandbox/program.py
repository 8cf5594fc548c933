"""A seccomp filter as a program for the kernel's classic BPF: rules in, bytes out; nothing is installed here.

Rules deny; what no rule names is allowed. A list of what is allowed would be tighter and would end a camera with the
first release of glibc or FFmpeg that calls something new (decision 0052).
Source: Documentation/userspace-api/seccomp_filter.rst; linux/seccomp.h, linux/filter.h, linux/bpf_common.h.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from vigie.sandbox.syscalls import AUDIT_ARCH, HIGHEST, X86_64, Machine, numbers_of

INSTRUCTION: Final = struct.Struct("<HBBI")
ALLOW: Final = 0x7FFF0000
KILL_PROCESS: Final = 0x80000000
ERRNO: Final = 0x00050000

_LOAD, _AND = 0x20, 0x54  # BPF_LD | BPF_W | BPF_ABS, BPF_ALU | BPF_AND | BPF_K
_EQUAL, _GREATER, _NOT_LESS = 0x15, 0x25, 0x35  # BPF_JMP | BPF_JEQ, BPF_JGT, BPF_JGE | BPF_K
_RETURN = 0x06
# struct seccomp_data: number, architecture, instruction pointer, six arguments of 8 bytes, little-endian here.
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16
_X32 = 0x40000000


@dataclass(frozen=True, slots=True)
class Argument:
    """True of a call if 32 bits of its argument ``index``, masked, equal ``value`` (or do not: ``equal=False``).

    ``high``: the upper 32 bits.
    """

    index: int
    value: int
    mask: int = 0xFFFF_FFFF
    equal: bool = True
    high: bool = False


@dataclass(frozen=True, slots=True)
class Denied:
    """Calls of these names get ``error``, if all ``when`` are true of them."""

    names: tuple[str, ...]
    error: int = errno.EPERM
    when: tuple[Argument, ...] = ()


def filter_program(rules: Iterable[Denied], machine: Machine) -> bytes:
    """For ``prctl`` or ``seccomp``; the first rule that fits decides.

    Calls made as another machine's (i386, x32) end the process: their numbers mean something else.
    """
    code = [
        _ins(_LOAD, _ARCH),
        _ins(_EQUAL, AUDIT_ARCH[machine], yes=1),
        _ins(_RETURN, KILL_PROCESS),
        _ins(_LOAD, _NUMBER),
    ]
    if machine == X86_64:
        code += [_ins(_NOT_LESS, _X32, no=1), _ins(_RETURN, KILL_PROCESS)]
    code += [_ins(_GREATER, HIGHEST, no=1), _ins(_RETURN, ERRNO | errno.ENOSYS)]
    for rule in rules:
        for number in numbers_of(rule.names, machine):
            code += _denied(number, rule)
    code.append(_ins(_RETURN, ALLOW))
    return b"".join(code)


def _denied(number: int, rule: Denied) -> list[bytes]:
    tests: list[bytes] = []
    # Back to front: each test jumps over what follows it if it is not true.
    for one in reversed(rule.when):
        over = len(tests) + 1
        jump = _ins(_EQUAL, one.value, no=over) if one.equal else _ins(_EQUAL, one.value, yes=over)
        offset = _ARGUMENTS + 8 * one.index + (4 if one.high else 0)
        tests = [_ins(_LOAD, offset), _ins(_AND, one.mask), jump, *tests]
    body = [*tests, _ins(_RETURN, ERRNO | rule.error)]
    # The tests have replaced the number in the one register that there is.
    again = [_ins(_LOAD, _NUMBER)] if tests else []
    return [_ins(_EQUAL, number, no=len(body)), *body, *again]


def _ins(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    return INSTRUCTION.pack(code, yes, no, value)
