"""The options of `fer-edge run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from fer_edge.commands import completion

OutputPath = Path | None

Source = Annotated[
    str | None,
    Argument(
        metavar="[SOURCE]",
        help="Camera number, video, URL, picture, folder, or - for motion JPEG. Default: camera 0.",
    ),
]
Camera = Annotated[str | None, Option("--camera", metavar="N", help="Camera: number, /dev path, or 'pi'.")]
Model = Annotated[
    str | None,
    Option(
        "--model",
        metavar="NAME|PATH",
        help="Shipped model or .tflite file.",
        autocompletion=completion.models,
    ),
]
Card = Annotated[
    OutputPath, Option("--card", metavar="FILE", help="Card of a model that has none of its own.")
]
Threads = Annotated[int, Option("--threads", min=1, help="Threads of the computations.")]
Detector = Annotated[str, Option("--detector", help="haar or yunet.")]
DetectorModel = Annotated[OutputPath, Option("--detector-model", metavar="FILE", help="YuNet's .onnx file.")]
Every = Annotated[int, Option("--every", min=1, help="Analyse one frame of N.")]
MaxFps = Annotated[float | None, Option("--max-fps", min=0.01, help="Take no more frames a second.")]
Smooth = Annotated[
    float, Option("--smooth", min=0.0, metavar="SECONDS", help="Half-life of the averaging; 0: none.")
]
MinSize = Annotated[
    int | None, Option("--min-size", min=1, metavar="PIXELS", help="Smallest face to look for.")
]
MinConfidence = Annotated[
    float, Option("--min-confidence", min=0.0, max=1.0, help="Below it the label is 'uncertain'.")
]
Save = Annotated[
    OutputPath, Option("--save", metavar="FILE", help="Annotated video, or picture of a picture.")
]
Jsonl = Annotated[
    OutputPath, Option("--jsonl", metavar="FILE", help="A JSON line a frame; - for standard output.")
]
Csv = Annotated[OutputPath, Option("--csv", metavar="FILE", help="A row a face.")]
Snapshot = Annotated[
    OutputPath, Option("--snapshot", metavar="FILE", help="The frame of the surest face, as a picture.")
]
Web = Annotated[
    int | None,
    Option("--web", min=0, max=65535, metavar="PORT", help="A live page for browsers on this machine."),
]
WebHost = Annotated[
    str,
    Option("--web-host", metavar="ADDRESS", help="Where the page listens; beyond this machine by token."),
]
WebToken = Annotated[
    str | None,
    Option(
        "--web-token",
        envvar="FER_EDGE_WEB_TOKEN",
        metavar="TOKEN",
        help="The page's token; by default drawn where one is needed.",
    ),
]
Headless = Annotated[bool, Option("--headless", help="No window.")]
MaxFrames = Annotated[int | None, Option("--max-frames", min=1, help="End after so many frames.")]
Seed = Annotated[
    int, Option("--seed", help="As everywhere; nothing in a run is random, so it changes nothing.")
]
