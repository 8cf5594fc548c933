"""What an operator sees of a fault: a line of a log, a metric that rises, words in a reported twin, a line of `up`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from vigie_devkit.faults.watched import Watched


class Sign(Protocol):
    """Evaluated again and again from the moment before the fault on (``begin``) until it is seen."""

    def begin(self, system: Watched) -> object:
        """What is to be known of the time before."""

    def seen(self, system: Watched, before: object) -> bool: ...

    def words(self) -> str:
        """For the table."""


@dataclass(frozen=True)
class LogText:
    """``text`` in what ``process`` has written: for what ends before its log begins."""

    process: str
    text: str

    @property
    def sought(self) -> str:
        return self.text

    def begin(self, system: Watched) -> object:
        return len(system.log_text(self.process))

    def seen(self, system: Watched, before: object) -> bool:
        found = system.log_text(self.process)
        # A log that was rotated meanwhile is shorter than it was.
        offset = before if isinstance(before, int) and before <= len(found) else 0
        return self.sought in found[offset:]

    def words(self) -> str:
        return f'{self.process}\'s log: "{self.text}"'


@dataclass(frozen=True)
class LogLine(LogText):
    """The event ``text`` in the log of ``process``."""

    @property
    def sought(self) -> str:
        return f'"{self.text}"'

    def words(self) -> str:
        return f"{self.process}'s log: `{self.text}`"


@dataclass(frozen=True)
class UpSays:
    """``words_of_it`` on the screen of `up`."""

    words_of_it: str

    def begin(self, system: Watched) -> object:
        return len(system.screen())

    def seen(self, system: Watched, before: object) -> bool:
        return self.words_of_it in system.screen()[before if isinstance(before, int) else 0 :]

    def words(self) -> str:
        return f'`up`: "{self.words_of_it}"'


@dataclass(frozen=True)
class MetricRises:
    """``name`` of ``module``, summed over what ``labels`` leave open, is higher than before."""

    module: str
    name: str
    labels: Mapping[str, str]

    def begin(self, system: Watched) -> object:
        return system.metric(self.module, self.name, self.labels)

    def seen(self, system: Watched, before: object) -> bool:
        now = system.metric(self.module, self.name, self.labels)
        return now is not None and now > (before if isinstance(before, float) else 0.0)

    def words(self) -> str:
        shown = ",".join(f'{key}="{value}"' for key, value in self.labels.items())
        return f"{self.module}: `{self.name}{'{' + shown + '}' if shown else ''}` rises"


@dataclass(frozen=True)
class TwinSays:
    """``text`` somewhere in the reported properties of ``module``."""

    module: str
    text: str

    def begin(self, system: Watched) -> object:
        return self.text in system.reported_text(self.module)

    def seen(self, system: Watched, before: object) -> bool:
        if before:
            return False  # it was there before: it says nothing of this fault
        return self.text in system.reported_text(self.module)

    def words(self) -> str:
        return f"{self.module}'s reported twin: `{self.text}`"


@dataclass(frozen=True)
class AnswersAgain:
    """A direct method reaches ``module`` through a hub that started after the fault.

    Flow says nothing of it: doorbells carry claims for minutes to a module that is connected and hears nothing.
    """

    module: str

    def begin(self, system: Watched) -> object:
        return system.hub_start()

    def seen(self, system: Watched, before: object) -> bool:
        start = system.hub_start()
        # Asked again afterwards: the answer is that of one hub, not of the one before it.
        return start not in ("", before) and system.answers(self.module) and system.hub_start() == start

    def words(self) -> str:
        return f"{self.module} answers direct methods again"


def rises(module: str, name: str, **labels: str) -> MetricRises:
    return MetricRises(module, name, labels)
