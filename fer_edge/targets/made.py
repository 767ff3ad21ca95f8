"""What a target gives: files not yet written, how they agree with LiteRT, and what the target's tool says."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import files
from fer_edge.targets.pictures import Agreement


@dataclass(frozen=True)
class Made:
    """files: path -> contents. agreement: with LiteRT's default kernels here, None where nothing here can
    run the result. report: plain values that the target's own tool gave. probabilities: what the result
    gives for the pictures, float32 (N, labels)."""

    target: str
    files: dict[Path, bytes]
    agreement: Agreement | None
    report: dict[str, Any] = field(default_factory=dict)
    probabilities: NDArray[np.float32] | None = None

    def write(self, force: bool) -> None:
        """Writes all files or none. Raises OutputError if one exists and `force` is not given."""
        files.refuse_to_overwrite_any(self.files, force)
        for path, data in self.files.items():
            files.write_bytes(path, data)

    def to_dict(self) -> dict[str, Any]:
        """Plain types, for `--json`."""
        return {
            "target": self.target,
            "files": {str(path): len(data) for path, data in self.files.items()},
            "agreement": None if self.agreement is None else dataclasses.asdict(self.agreement),
            **self.report,
        }


def needs(report: dict[str, Any]) -> str:
    """What a target's own tool measured or estimated, in a few words."""
    flash = f"{report['flash_bytes'] / 1024:.0f} KiB flash, " if "flash_bytes" in report else ""
    if "arena_bytes" in report:
        return f"{flash}{report['arena_bytes'] / 1024:.0f} KiB arena"
    if "cycles" in report:
        sram = f"{report['sram_bytes'] / 1024:.0f} KiB SRAM"
        return f"{flash}{sram}, {report['ms']:.2f} ms at {report['mhz']:.0f} MHz (estimated)"
    if "opset" in report:
        return f"opset {report['opset']}"
    if "browser" in report:
        return report["browser"] or "not run here: no Chromium; the page checks itself"
    return ""
