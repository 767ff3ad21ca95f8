"""Every failure that fer-edge foresees: one line for the user, one exit code.

Exit codes (DESIGN, "Command line"): 1 it could not be done, 2 wrong usage, 3 a gate failed.
"""

_LONGEST = 1000  # characters; a message may quote a file


class FerEdgeError(Exception):
    """Base of all foreseen failures; its message is the one line that the user reads.

    What it quotes from files stays in the line: controls are escaped, the middle of a long one left out.
    """

    exit_code = 1

    def __init__(self, message: str = "") -> None:
        shown = "".join(c if c.isprintable() else " " if c == "\n" else ascii(c)[1:-1] for c in str(message))
        if len(shown) > _LONGEST:
            shown = f"{shown[: _LONGEST * 2 // 3]} ... {shown[-_LONGEST // 3 :]}"
        super().__init__(shown)


class DataError(FerEdgeError):
    """A data set cannot be read or is not what it claims to be."""


class ModelError(FerEdgeError):
    """A model file or its card is missing, damaged or of another kind."""


class SourceError(FerEdgeError):
    """A camera, video, picture or folder cannot be opened or read."""


class OutputError(FerEdgeError):
    """An output exists already, or cannot be written."""


class MissingExtraError(FerEdgeError):
    """An optional dependency is absent; the message holds the exact `pip install`."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs {package}, which is not installed: pip install 'fer-edge[{extra}]'"
        )


class UsageError(FerEdgeError):
    """The command line, a recipe or a card asks for something that does not exist."""

    exit_code = 2


class GateError(FerEdgeError):
    """A check of ours failed: parity, reference or regression."""

    exit_code = 3
