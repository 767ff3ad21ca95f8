"""The command line `fer-edge`: the list of commands, and the one place where errors become exit codes."""

import atexit
import contextlib
import importlib
import io
import math
import os
import resource
import sys
import threading
from collections.abc import Iterable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from fer_edge import __version__
from fer_edge.errors import FerEdgeError, MissingExtraError, printable
from fer_edge.vision import DETECTORS

COMMANDS = {
    "run": ("run", "run clip.mp4 --headless --jsonl faces.jsonl --save annotated.mp4"),
    "report": ("report", "run clip.mp4 --headless --jsonl c.jsonl && fer-edge report c.jsonl"),
    "train": ("train", "train --data fer2013.csv --out runs/plain; then again with --resume."),
    "sweep": ("train", "sweep --data fer2013.csv --out runs/sweep; run it again to continue."),
    "evaluate": ("evaluate", "evaluate tuned_int8 --data fer2013.csv --tta flip --plot confusion.png"),
    "convert": ("convert", "convert runs/plain/model.keras --data fer2013.csv --all --out models"),
    "verify": ("convert", "verify other_int8.tflite runs/plain/model.keras --data fer2013.csv"),
    "inspect": ("inspect", "inspect other.tflite --json -"),
    "models": ("inspect", "models --json -"),
    "bench": ("bench", "bench tuned_int8 tuned_float32 --data fer2013.csv --threads 1,2 --json bench.json"),
    "data": ("data", "data fer2013.csv.xz --plot samples.png --json data.json"),
    "doctor": ("doctor", "doctor --json -"),
}
"""Name of a command -> the module of fer_edge.commands that defines it, and an example."""

ELSEWHERE = {
    "predict": "run", "detect": "run", "webcam": "run", "demo": "run", "export": "convert",
    "val": "evaluate", "validate": "evaluate", "eval": "evaluate", "benchmark": "bench", "fit": "train",
}  # fmt: skip
"""Names that other programs use -> our command."""

PANELS = {
    "Input": "camera card class-names data detector-model labels model protocol "
    "recipe skip-bad-rows split subset teacher weights",
    "Output": "csv force headless html json jsonl markdown mqtt name out plot png save snapshot web "
    "web-host web-token",
    "Training": "batch-size clusters deterministic dropout epochs epochs-scale learning-rate precision qat "
    "resume seed sparsity",
    "Limits": "every max-fps max-frames min-confidence min-size patience runs threads tolerance warmup",
}  # fmt: skip
PANEL_OF = {f"--{name}": panel for panel, names in PANELS.items() for name in names.split()}
"""The panel of an option in --help; all others are under Options."""

CHOICES = {
    "--detector": "|".join(DETECTORS), "--protocol": "official|paper", "--recipe": "NAME|FILE",
    "--split": "Training|PublicTest|PrivateTest", "--out": "DIR", "--name": "NAME",
}  # fmt: skip
"""What --help shows as an option's value, unless the option says it itself."""

EXTRAS = {"matplotlib": "plot", "paho": "mqtt"}  # optional package -> the extra that installs it


class _Group(TyperGroup):
    """Knows the commands of other programs, puts options into panels, escapes what usage errors quote."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        command = super().get_command(ctx, cmd_name)
        options: list[Any] = command.params if command else []
        for parameter in options:
            if parameter.param_type_name == "option":
                parameter.rich_help_panel = PANEL_OF.get(parameter.opts[0], parameter.rich_help_panel)
                parameter.metavar = parameter.metavar or CHOICES.get(parameter.opts[0])
                parameter.secondary_opts = []  # no --no-FLAG
            if parameter.type.name.startswith("float"):
                parameter.callback = _number
        return command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] in ELSEWHERE:
            ctx.fail(f"There is no command '{args[0]}'; fer-edge {ELSEWHERE[args[0]]} does this.")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            if isinstance(getattr(error, "message", None), str):
                error.message = printable(error.message)  # type: ignore[attr-defined]
            raise


def _number(ctx: Any, parameter: Any, value: float | None) -> float | None:
    if value is not None and math.isnan(value):  # which no limit of a range refuses
        raise typer.BadParameter("nan is not a number")
    return value


def _print_version(asked: bool) -> None:
    if asked:
        print(f"fer-edge {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    if resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY:
        from fer_edge import machine

        machine.require_address_space()


def application(names: Iterable[str] = tuple(COMMANDS)) -> typer.Typer:
    seen = all(stream is not None and stream.isatty() for stream in (sys.stdout, sys.stderr))  # None: closed
    app = typer.Typer(
        name="fer-edge",
        cls=_Group,
        help="Facial-expression recognition, from a training set to a small device.",
        epilog="Add --debug anywhere to see the traceback of an error.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich" if seen else None,
        context_settings={"help_option_names": ["-h", "--help"]},
        callback=_options,
    )
    for name in names:
        module, example = COMMANDS[name]
        command = getattr(importlib.import_module(f"fer_edge.commands.{module}"), name)
        app.command(name, epilog=f"Example: fer-edge {example}")(command)
    return app


def _in_a_line(error: Exception) -> FerEdgeError:
    """The message for an error that reached the command line."""
    if isinstance(error, FerEdgeError):
        return error
    if isinstance(error, ModuleNotFoundError) and (name := str(error.name).partition(".")[0]) in EXTRAS:
        return MissingExtraError(name, EXTRAS[name], "this")
    if isinstance(error, MemoryError):
        return FerEdgeError("out of memory")
    if isinstance(error, OSError) and error.errno is not None:  # a full disk, a name that is too long
        what = "cannot read or write" if error.filename is None else f"cannot use {error.filename}"
        return FerEdgeError(f"{what}: {error.strerror}")
    return FerEdgeError(f"unexpected {type(error).__name__}: {error} (--debug shows where)")


def main() -> None:
    """Runs the command that sys.argv names and ends the process; never returns.

    Immediately, if a thread is still inside a driver: Python's shutdown would kill that thread, and inside
    C++ this aborts the process.
    """
    try:
        invoke()
    except SystemExit as end:
        if not any(thread.daemon for thread in threading.enumerate()):
            raise
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):  # closed, or a pipe that nobody reads
                stream.flush()
        os._exit(end.code if isinstance(end.code, int) else int(end.code is not None))


def invoke() -> None:
    """Runs the command that sys.argv names, without ending the process. Raises SystemExit."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # characters that the terminal lacks end no command
            stream.reconfigure(errors="backslashreplace")
    debug = "--debug" in sys.argv
    sys.argv = [argument for argument in sys.argv if argument != "--debug"]
    try:
        called = sys.argv[1:2]  # loading the other commands costs memory and time
        application(called if called and called[0] in COMMANDS else COMMANDS)()
    except Exception as error:
        if debug:
            raise
        shown = _in_a_line(error)
        print(f"fer-edge: {shown}", file=sys.stderr)
        if isinstance(error, OSError):
            with contextlib.suppress(OSError, ValueError):  # do not try again what could not be written
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(shown.exit_code)
