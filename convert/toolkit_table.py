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
from fer_edge.conversion.formats import read
from fer_edge.errors import GateError

HERE = Path(__file__).resolve().parent
KEPT, PAGE = HERE / "toolkit_table.json", HERE.parent / "docs" / "conversion.md"
INTEGER = ("int8", "full_integer")
CONVERSIONS = [
    *((name, options, INTEGER) for name in ("nano", "edge", "tuned") for options in ({}, {"qat": True})),
    ("edge", {"sparsity": 0.5}, ("int8",)),
    ("edge", {"clusters": 32}, ("int8", "float16")),
    ("edge", {"sparsity": 0.5, "clusters": 32}, ("int8",)),
    ("edge", {"sparsity": 0.5, "qat": True}, ("int8",)),
    ("edge", {"clusters": 32, "qat": True}, ("int8",)),
]  # fmt: skip
MEASURED = ("agreement", "accuracy", "accuracy_fp32", "compressed_bytes", "passed")


def key(network: str, options: dict[str, object], format_: str) -> str:
    said = (f"--{name}" if value is True else f"--{name} {value}" for name, value in options.items())
    return " ".join((network, *said, f"--{format_.replace('_', '-')}"))


def table(kept: dict[str, dict[str, float]]) -> str:
    """Markdown. float32: what a file is measured by, a network of its own if pruned or clustered."""
    lines = ["| network | options | agreement % | accuracy % | float32 % | zip kB | of plain int8 % |"]
    lines.append(f"| --- | --- |{' --: |' * 5}")
    for network, options, formats in CONVERSIONS:
        for format_ in formats:
            said = key(network, options, format_)
            cells = ["not measured", *[""] * 4]
            if found := kept.get(said):
                cells = [f"{100 * found[name]:.2f}" for name in MEASURED[:3]]
                zipped, plain = found["compressed_bytes"], kept[f"{network} --int8"]["compressed_bytes"]
                cells += [f"{zipped / 1e3:.0f}", f"{100 * zipped / plain:.1f}"]
                cells[0] += "" if found["passed"] else ", refused"
            lines.append(f"| `{network}` | `{said.partition(' ')[2]}` | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    kept = json.loads(KEPT.read_text())
    for network, options, formats in CONVERSIONS if len(sys.argv) > 1 else ():
        if not sys.argv[2:] or network in sys.argv[2:]:
            with tempfile.TemporaryDirectory() as folder:
                out, measured = Path(folder), Path(folder) / "measured.json"
                recipe = read("default", **options)
                request = command.Request(network, sys.argv[1], recipe, formats=formats, out=out)
                try:
                    command.convert(request, str(measured))
                except GateError as error:
                    print(error)
                for found in json.loads(measured.read_text())["outputs"] if measured.exists() else ():
                    kept[key(network, options, found["format"])] = {name: found[name] for name in MEASURED}
            KEPT.write_text(json.dumps(kept, indent=2) + "\n")
    PAGE.write_text(files.put_between_markers(PAGE.read_text(), "toolkit", table(kept)))
