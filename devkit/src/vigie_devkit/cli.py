"""The command line: which commands there are, how they fail, what their exit codes mean.

A command is a module ``vigie_devkit.commands.<name>`` with ``add_parser(subparsers)`` that ends in
``parser.set_defaults(handler=function)``; ``function(args)`` returns the exit code. Importing the module must be cheap:
heavy imports belong into the handler, because help and completion import every command.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from vigie_devkit.local.errors import Exit, LocalError

COMMANDS = (
    "up",
    "upstream",
    "twin",
    "method",
    "logs",
    "down",
    "clean",
    "hub",
    "manifest",
    "models",
    "images",
    "doctor",
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
  5  the model is none, or none that is known
"""

EXAMPLES = """examples:
  ./vigie up --model yolox_nano.onnx                     the synthetic camera, until Ctrl-C
  ./vigie up video.mp4 --model yolox_nano.onnx --json    a file, every frame, one summary
  ./vigie upstream tail                                  what reached the cloud side
  ./vigie twin set inference '{"score": 0.5}'            change a module while it runs
"""


def parser_for(argv: Sequence[str]) -> argparse.ArgumentParser:
    """The parser; only the asked-for command is imported, all of them for the general help."""
    parser = argparse.ArgumentParser(
        prog="vigie",
        description="Vigie on this machine: four modules and a local edge hub, no cloud account needed.",
        epilog=f"{EXAMPLES}\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="print the version and end")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    asked = next((word for word in argv if not word.startswith("-")), None)
    for name in [asked] if asked in COMMANDS else COMMANDS:
        importlib.import_module(f"vigie_devkit.commands.{name}").add_parser(subparsers)
    return parser


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
    if rest and not getattr(args, "takes_rest", False):
        complain(f"{args.command} takes no {rest[0]!r}; see: ./vigie {args.command} --help")
        return Exit.USAGE
    args.rest = rest
    return run_handler(args)


def complain(sentence: str) -> None:
    """One line on stderr; stdout belongs to results."""
    sys.stderr.write(f"vigie: {sentence}\n")


def run_handler(args: argparse.Namespace) -> int:
    """Call the command; print what failed as one sentence.

    Errors of the library (``VigieError``) are caught by their base without importing it up front.
    """
    try:
        return int(args.handler(args))
    except LocalError as error:
        complain(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # `vigie logs | head`: the reader has gone, which is no failure. Nothing may be flushed to it at exit.
        sys.stdout = None
        return Exit.OK
    except Exception as error:
        from vigie.errors import (
            BundleError,
            CardError,
            ModelFileError,
            ModelParityError,
            ModelUnrecognisedError,
            VigieError,
        )

        if not isinstance(error, VigieError):
            raise
        complain(str(error))
        of_the_model = (BundleError, CardError, ModelFileError, ModelParityError, ModelUnrecognisedError)
        return Exit.MODEL if isinstance(error, of_the_model) else Exit.ENVIRONMENT
