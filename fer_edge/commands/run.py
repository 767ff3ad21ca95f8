"""`fer-edge run`: the loop on a camera, video, stream, picture or folder."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fer_edge import console
from fer_edge.commands.options import Force, Json, Seed
from fer_edge.errors import FerEdgeError
from fer_edge.sinks.outputs import Outputs

if TYPE_CHECKING:
    from fer_edge.realtime import Loop
    from fer_edge.sinks.screen import Screen
    from fer_edge.sources.capture import Capture

Option = typer.Option
OutputPath = Path | None


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command(
        "run",
        epilog="Example: fer-edge run clip.mp4 --headless --jsonl faces.jsonl --save annotated.mp4",
    )(run)


def run(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[SOURCE]",
            help="Camera number, video, URL, picture, folder, or - for motion JPEG. Default: camera 0.",
        ),
    ] = None,
    camera: Annotated[
        str | None, Option("--camera", metavar="N", help="Camera: number, /dev path, or 'pi'.")
    ] = None,
    model: Annotated[
        str | None, Option("--model", metavar="NAME|PATH", help="Shipped model or .tflite file.")
    ] = None,
    card: Annotated[
        OutputPath, Option("--card", metavar="FILE", help="Card of a model that has none of its own.")
    ] = None,
    threads: Annotated[int, Option("--threads", min=1, help="Threads of the computations.")] = 1,
    detector: Annotated[str, Option("--detector", help="haar or yunet.")] = "haar",
    detector_model: Annotated[
        OutputPath, Option("--detector-model", metavar="FILE", help="YuNet's .onnx file.")
    ] = None,
    every: Annotated[int, Option("--every", min=1, help="Analyse one frame of N.")] = 1,
    max_fps: Annotated[
        float | None, Option("--max-fps", min=0.01, help="Take no more frames a second.")
    ] = None,
    smooth: Annotated[
        float, Option("--smooth", min=0.0, metavar="SECONDS", help="Half-life of the averaging; 0: none.")
    ] = 0.3,
    min_size: Annotated[
        int | None, Option("--min-size", min=1, metavar="PIXELS", help="Smallest face to look for.")
    ] = None,
    min_confidence: Annotated[
        float, Option("--min-confidence", min=0.0, max=1.0, help="Below it the label is 'uncertain'.")
    ] = 0.0,
    save: Annotated[
        OutputPath, Option("--save", metavar="FILE", help="Annotated video, or picture of a picture.")
    ] = None,
    jsonl: Annotated[
        OutputPath, Option("--jsonl", metavar="FILE", help="A JSON line a frame; - for standard output.")
    ] = None,
    csv: Annotated[OutputPath, Option("--csv", metavar="FILE", help="A row a face.")] = None,
    snapshot: Annotated[
        OutputPath, Option("--snapshot", metavar="FILE", help="The frame of the surest face, as a picture.")
    ] = None,
    headless: Annotated[bool, Option("--headless", help="No window.")] = False,
    max_frames: Annotated[int | None, Option("--max-frames", min=1, help="End after so many frames.")] = None,
    force: Force = False,
    json: Json = None,
    seed: Seed = 0,
) -> None:
    """Find faces and name their expressions, live or in files. Ends with q, Ctrl-C or SIGTERM."""
    stop = _stop_on_signals()
    outputs = Outputs(save, jsonl, csv, snapshot)
    console.reserve_stdout("-" if "-" in (str(jsonl), str(csv), json) else None)
    outputs.check(json, force)
    from fer_edge.opencv import cv2

    cv2.setNumThreads(threads)
    from fer_edge.realtime import Loop
    from fer_edge.sinks.opening import open_sinks
    from fer_edge.sources.opening import make_capture
    from fer_edge.steps import Pace

    def make() -> Capture:
        return make_capture(source, camera, threads)

    capture = make()
    capture.open()
    from fer_edge import shipped
    from fer_edge.analysis import Analyser
    from fer_edge.classifier import Classifier
    from fer_edge.detector import make_detector

    classifier = Classifier(model or shipped.DEFAULT_MODEL, threads, card)
    analyser = Analyser(
        make_detector(detector, detector_model, min_size),
        classifier,
        policy=classifier.card.crop,
        half_life_s=smooth,
        min_confidence=min_confidence,
        still=capture.is_still,
    )
    screen = None if headless else _screen()
    if screen and not capture.is_live and not capture.is_still:
        max_fps = max_fps or capture.fps  # a film is shown at its own speed
    loop = Loop(
        analyser,
        open_sinks(capture, analyser.labels, outputs, force),
        screen=screen,
        pace=Pace(every, max_fps, max_frames),
        stop=stop,
    )
    about = {"source": capture.name, "model": str(classifier.path), "threads": threads}
    try:
        loop.run(capture, make)
    except FerEdgeError:
        if loop.summary.frames:
            _report(loop, capture, about, json, force)
        raise
    _report(loop, capture, about, json, force)


def _stop_on_signals() -> threading.Event:
    """Set by SIGINT and SIGTERM; the second signal of a kind has its usual effect."""
    stop = threading.Event()

    def ask_to_stop(number: int, _frame: Any) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask_to_stop)
    return stop


def _screen() -> Screen | None:
    from fer_edge.sinks.screen import Screen
    from fer_edge.sinks.window import Window, why_no_window

    reason = why_no_window()
    if reason is None:
        return Screen(Window())
    console.say(f"no window: {reason}; going on without (--headless says so from the start)")
    return None


def _report(loop: Loop, capture: Capture, about: dict[str, Any], json: str | None, force: bool) -> None:
    summary = loop.summary
    if not capture.is_still or summary.frames != 1:
        for line in summary.lines(capture.is_still):
            console.say(line)
    if json:
        console.write_json(json, {**about, **summary.as_dict(capture.is_still)}, force)
