"""TOML recipes of any kind: read, and checked against the dataclass that they fill."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

from fer_edge.errors import UsageError

_KINDS: dict[str, tuple[type, ...]] = {"float": (int, float), "int": (int,), "str": (str,), "bool": (bool,)}

_LARGEST = 1e15  # well within what float64 counts exactly


def read_table(path: Path) -> dict[str, Any]:
    """The file as nested tables. Raises UsageError, naming it, if it is missing or no TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # of UTF-8, of TOML, or of too many digits
        raise UsageError(f"{path} is not a recipe: {error}") from error
    except RecursionError:
        raise UsageError(f"{path} is not a recipe: it is nested too deeply") from None


def require(checks: dict[str, bool], where: str) -> None:
    """Raises UsageError with `where` and the first complaint that does not hold."""
    for complaint, holds in checks.items():
        if not holds:
            raise UsageError(f"{where}: {complaint}")


def checked(kind: type[Any], table: Any, where: str) -> dict[str, Any]:
    """`table`, if each key is a plain field of the dataclass `kind` and each value of the field's type.

    Fields of other types than float, int, str, bool are not for the table. Raises UsageError with `where`.
    """
    if not isinstance(table, dict):
        raise UsageError(f"{where} must be a table")
    fields = {field.name: str(field.type) for field in dataclasses.fields(kind) if str(field.type) in _KINDS}
    for key, value in table.items():
        if key not in fields:
            raise UsageError(f"{where}: unknown key {key!r}: there are {', '.join(fields)}")
        wanted = _KINDS[fields[key]]
        if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
            raise UsageError(f"{where}: {key} must be of type {fields[key]}, not {value!r}")
        if isinstance(value, int | float) and not abs(value) <= _LARGEST:  # nor nan, which passes any gate
            raise UsageError(f"{where}: {key} must be a finite number, not {value!r}")
    return table
