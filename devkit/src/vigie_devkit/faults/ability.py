"""What a fault asks of a container engine."""

from __future__ import annotations

from enum import StrEnum


class Ability(StrEnum):
    """The value continues the sentence 'this engine cannot ...'."""

    PAUSE = "pause a container"
    NETWORKS = "take a running container off a network"
    MEMORY = "change the memory limit of a running container"
    PROCESSES = "let one container signal the processes of another, which a kill -9 or SIGSTOP needs"
    SMALL_VOLUMES = "make a volume of a fixed size (tmpfs)"
    CLOCK = "share this machine's clock, by which times are told: it runs on another machine"
