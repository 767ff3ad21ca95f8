"""What a conversion gave, as a table on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from fer_edge import console, tables
from fer_edge.conversion.session import Output


def report(outputs: Sequence[Output], split: str, written: bool = True) -> None:
    """The table. split: whose pictures they were proved on. written: whether files that passed were written
    just now."""
    pictures, compared = outputs[0].parity.pictures, outputs[0].parity.compared
    table = tables.new_table(f"against float32 in Keras on {pictures} pictures of {split}")
    table.add_column("format")
    for heading in ("kB", "zip kB", "ops", "agree %", "max diff", "mean diff", "acc %", "fp32 %"):
        table.add_column(heading, justify="right")
    table.add_column("passed")
    for output in outputs:
        found = output.parity
        table.add_row(
            output.format.value,
            f"{len(output.data) / 1e3:.0f}",
            f"{output.compressed_bytes / 1e3:.0f}",
            str(sum(output.ops.values())),
            tables.percent(found.agreement, 2),
            f"{found.max_abs_diff:.4f}",
            f"{found.mean_abs_diff:.5f}",
            tables.percent(found.accuracy, 2),
            tables.percent(found.accuracy_fp32, 2),
            "yes" if found.passed else "NO",
        )
    tables.show(table)
    for output in outputs if written else ():
        console.say(f"{'wrote' if output.parity.passed else 'not written:'} {output.path}")
    if compared > pictures:
        console.say(
            f"agreement and differences are of {compared} pictures: {pictures} are few, and "
            f"{compared - pictures} of Training help out"
        )
