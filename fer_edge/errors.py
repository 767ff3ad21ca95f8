"""Every expected failure: one line for the user, one exit code."""

_LONGEST = 1000  # characters; a message may quote a file


def printable(text: object) -> str:
    """Untrusted text on one line, safe for a terminal, a log or a picture. Escapes control characters, line
    breaks, characters that hide or reorder text, and bytes of a file name that are not UTF-8, as `\\xe9`."""
    return "".join(c if c.isprintable() else _escaped(c) for c in str(text))


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # os.fsdecode's stand-in for a byte
        return f"\\x{ord(character) - 0xDC00:02x}"
    return ascii(character)[1:-1]


def first_line(error: Exception) -> str:
    """First line of a library's error message; the error's type if there is none."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


class FerEdgeError(Exception):
    """Base of all expected failures; its message is one line that the user sees, escaped and shortened."""

    exit_code = 1

    def __init__(self, message: str = "") -> None:
        shown = printable(str(message).replace("\n", " "))
        if len(shown) > _LONGEST:
            shown = f"{shown[: _LONGEST * 2 // 3]} ... {shown[-_LONGEST // 3 :]}"
        super().__init__(shown)


class DataError(FerEdgeError):
    """A data set cannot be read, or is not what it claims to be."""


class ModelError(FerEdgeError):
    """A model file or its card is missing, damaged or of another kind."""


class SourceError(FerEdgeError):
    """A camera, video, picture or folder cannot be opened or read."""


class OutputError(FerEdgeError):
    """An output exists already, or cannot be written."""


class MissingExtraError(FerEdgeError):
    """An optional dependency is missing; the message has the exact `pip install`."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        cure = "pip install torch" if package == "torch" else f"pip install 'fer-edge[{extra}]'"
        super().__init__(f"{purpose} needs {package}, which is not installed: {cure}")


class UsageError(FerEdgeError):
    """The command line, a recipe or a card asks for something that does not exist."""

    exit_code = 2


class GateError(FerEdgeError):
    """A check of ours failed: parity, reference or regression."""

    exit_code = 3
