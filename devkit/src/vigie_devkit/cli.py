"""The command line: which commands there are, how they fail, what their exit codes mean.

A command is a module ``vigie_devkit.commands.<name>`` with ``add_parser(subparsers)`` that ends in
``parser.set_defaults(handler=function)``; ``function(args)`` returns the exit code. Importing the module must be cheap:
heavy imports belong into the handler, because help and completion import every command.
"""

from __future__ import annotations

import argparse
import importlib
import re
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from vigie.terminal import let_go
from vigie_devkit.help_text import HelpText
from vigie_devkit.local.endings import EndedBySignal, ended_by_signals
from vigie_devkit.local.errors import Exit, LocalError

COMMANDS = (
    "up",
    "upstream",
    "snapshot",
    "twin",
    "method",
    "logs",
    "audit",
    "unseal",
    "down",
    "clean",
    "hub",
    "manifest",
    "models",
    "images",
    "cameras",
    "doctor",
    "fit",
    "bench",
    "faults",
    "soak",
    "test",
    "check",
    "version",
)

EXIT_CODES = """exit codes:
  0  frames flowed through all four modules and reached upstream (other commands: done)
  1  it ran, but they did not (other commands: it failed)
  2  the command line is wrong
  3  the environment: Python, package index, port, folder, no such run
  4  a source does not open
  5  the model is missing, or its type is not recognised
"""

EXAMPLES = """examples:
  ./vigie up                                             the synthetic camera and the shipped model, until Ctrl-C
  ./vigie up video.mp4 --model yolox_nano.onnx --json    your own video and model: every frame, one summary
  ./vigie upstream tail                                  what reached the cloud side
  ./vigie twin set inference '{"score": 0.5}'            change a module while it runs
"""


def parser_for(argv: Sequence[str]) -> argparse.ArgumentParser:
    """The parser; only the asked-for command is imported, all of them for the general help."""
    parser = Parser(
        prog="vigie",
        description="Vigie on this machine: four modules and a local edge hub, no cloud account needed.",
        epilog=f"{EXAMPLES}\n{EXIT_CODES}",
    )
    parser.add_argument("--version", action="store_true", help="print the version and end")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    asked = next((word for word in argv if not word.startswith("-")), None)
    for name in [asked] if asked in COMMANDS else COMMANDS:
        importlib.import_module(f"vigie_devkit.commands.{name}").add_parser(subparsers)
    return parser


class Parser(argparse.ArgumentParser):
    """Argparse with sentences: no abbreviated options (a typo must not mean another one), the nearest name offered.

    Every command's parser is one too: subparsers take the class of the parser that they hang on.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, "formatter_class": HelpText, **kwargs})

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """As argparse does, behind help that nobody reads to its end too."""
        let_go_of_a_reader_that_has_gone()
        super().exit(status, message)

    def error(self, message: str) -> NoReturn:
        """One sentence and where to read on, in place of the whole usage."""
        if match := _CHOICE.match(message):
            where, wrong, allowed = match.groups()
            choices = re.findall(r"[\w./-]+", allowed)
            what = "command" if where == "COMMAND" else where
            near = get_close_matches(wrong, choices, 1, 0.6)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(choices)}"
            message = f"{what} {wrong!r} does not exist; {hint}"
        elif match := _TYPE.match(message):
            message = f"{match[1]}: expected {_TYPES.get(match[2], 'another value')}, got {match[3]}"
        elif message.startswith("argument "):
            message = message.removeprefix("argument ")
        self.exit(Exit.USAGE, f"vigie: {message}{'' if message.endswith('?') else ';'} see: ./{self.prog} --help\n")


_CHOICE = re.compile(r"argument (\S+): invalid choice: '(.*)' \(choose from (.*)\)", re.DOTALL)
_TYPE = re.compile(r"argument (\S+): invalid (\w+) value: (.*)", re.DOTALL)
_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "positive_number": "a number above 0",
    "positive_count": "a whole number, at least 1",
    "count": "a whole number",
    "hours": "a number of hours above 0",
    "share": "a number from 0 to 1",
}


def wrong_words(args: argparse.Namespace, rest: Sequence[str]) -> str | None:
    """The complaint about words that the command does not take; None if it takes all."""
    if not rest or getattr(args, "takes_rest", False):
        return None
    wrong = rest[0]
    near = get_close_matches(wrong.partition("=")[0], sorted(_options(parser_for([args.command]))), 1, 0.6)
    hint = f"; did you mean {near[0]}?" if near else ";"
    return f"{args.command} takes no {wrong!r}{hint} see: ./vigie {args.command} --help"


def _options(parser: argparse.ArgumentParser) -> set[str]:
    found: set[str] = set()
    for action in parser._actions:  # noqa: SLF001  argparse offers no other way to ask
        found.update(option for option in action.option_strings if option.startswith("--"))
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for inner in action.choices.values():
                found |= _options(inner)
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; every failure that is foreseen is one sentence on stderr."""
    words = list(sys.argv[1:] if argv is None else argv)
    args, rest = parser_for(words).parse_known_args(words)
    if args.version:
        from vigie_devkit.commands.version import show_version

        return show_version(args)
    if args.command is None:
        parser_for([]).print_help(sys.stderr)
        return Exit.USAGE
    if (complaint := wrong_words(args, rest)) is not None:
        complain(complaint)
        return Exit.USAGE
    args.rest = rest
    return run_handler(args)


def complain(sentence: str) -> None:
    """One line on stderr; stdout belongs to results."""
    sys.stderr.write(f"vigie: {sentence}\n")


def let_go_of_a_reader_that_has_gone() -> None:
    """Flush stdout now: what cannot be written must not be tried again, and reported, when the interpreter ends."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        let_go(sys.stdout)


def run_handler(args: argparse.Namespace) -> int:
    """Call the command; print what failed as one sentence.

    Errors of the library (``VigieError``) are caught by their base without importing it up front.
    """
    try:
        with ended_by_signals():
            code = int(args.handler(args))
    except LocalError as error:
        complain(str(error))
        return error.exit_code
    except EndedBySignal as ended:
        return 128 + ended.number
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        let_go_of_a_reader_that_has_gone()  # `vigie logs | head`, which is no failure
        return Exit.OK
    except Exception as error:
        from vigie.errors import (
            BundleError,
            CardError,
            HubAnswerError,
            ModelFileError,
            ModelParityError,
            ModelUnrecognisedError,
            VigieError,
        )

        if not isinstance(error, VigieError):
            raise
        complain(str(error))
        of_the_model = (BundleError, CardError, ModelFileError, ModelParityError, ModelUnrecognisedError)
        other = Exit.NO_FLOW if isinstance(error, HubAnswerError) else Exit.ENVIRONMENT
        return Exit.MODEL if isinstance(error, of_the_model) else other
    else:
        let_go_of_a_reader_that_has_gone()
        return code
