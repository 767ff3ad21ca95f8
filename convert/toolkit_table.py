"""What --qat, --sparsity and --clusters bring, for docs/conversion.md: toolkit_table.py CSV [NETWORK ...]

Converts the rows of the networks named (all without), some minutes each, keeps what was measured in
toolkit_table.json beside this file, and writes the table; rows never measured say so.
"""

import json
import sys
import tempfile
from pathlib import Path

from fer_edge import files
from fer_edge.conversion import command
from fer_edge.model import file, shipped

HERE = Path(__file__).resolve().parent
KEPT, PAGE = HERE / "toolkit_table.json", HERE.parent / "docs" / "conversion.md"
FORMATS = ("int8", "full_integer")
ROWS = [
    *((name, {"qat": True}, format_) for name in ("nano", "edge", "tuned") for format_ in FORMATS),
    ("edge", {"sparsity": 0.5}, "int8"),
    ("edge", {"clusters": 32}, "int8"),
    ("edge", {"sparsity": 0.5, "clusters": 32}, "int8"),
    ("edge", {"sparsity": 0.5, "qat": True}, "int8"),
]  # fmt: skip
HEADERS = (
    "network",
    "options",
    "agreement %",
    "accuracy %",
    "float32 %",
    "zip kB",
    "of the dense int8 zip %",
)


def key(network: str, options: dict[str, object], format_: str) -> str:
    said = (f"--{name}" if value is True else f"--{name} {value}" for name, value in options.items())
    return f"{network} {' '.join(said)} --{format_.replace('_', '-')}"


def table(kept: dict[str, dict[str, float]]) -> str:
    """Markdown; accuracy in float32 is the dense network's."""
    lines = [f"| {' | '.join(HEADERS)} |", f"| --- | --- |{' --: |' * 5}"]
    for row in ROWS:
        network, _, options = key(*row).partition(" ")
        found = kept.get(key(*row))
        cells = ["not measured", *[""] * 4]
        if found:
            dense = file.compressed_bytes((shipped.models_folder() / f"{network}_int8.tflite").read_bytes())
            card = json.loads((shipped.models_folder() / f"{network}_float32.json").read_text())
            cells = [f"{100 * found[name]:.2f}" for name in ("agreement", "accuracy")]
            cells += [f"{100 * card['measured']['accuracy']:.2f}", f"{found['compressed_bytes'] / 1e3:.0f}"]
            cells += [f"{100 * found['compressed_bytes'] / dense:.0f}"]
        lines.append(f"| `{network}` | `{options}` | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    kept = json.loads(KEPT.read_text())
    for network, options, format_ in ROWS if len(sys.argv) > 1 else ():
        if not sys.argv[2:] or network in sys.argv[2:]:
            with tempfile.TemporaryDirectory() as folder:
                request = command.Request(
                    network, sys.argv[1], formats=(format_,), out=Path(folder), **options
                )
                (found,) = command.convert(request, None)["outputs"]
            names = ("agreement", "accuracy", "compressed_bytes")
            kept[key(network, options, format_)] = {name: found[name] for name in names}
            KEPT.write_text(json.dumps(kept, indent=2) + "\n")
    PAGE.write_text(files.put_between_markers(PAGE.read_text(), "toolkit", table(kept)))
