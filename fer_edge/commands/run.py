"""`fer-edge run`: the loop on a camera, video, stream, picture or folder."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument, Option

from fer_edge import console
from fer_edge.commands import completion
from fer_edge.commands.options import Force, Json
from fer_edge.errors import FerEdgeError, UsageError
from fer_edge.sinks import Outputs

if TYPE_CHECKING:
    from fer_edge.loop.realtime import Loop
    from fer_edge.sinks.web import WebPage
    from fer_edge.sinks.window import Screen
    from fer_edge.sources import Capture

DEFAULT_HOST = "127.0.0.1"


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
Detector = Annotated[str, Option("--detector", help="auto, haar, yunet or blazeface.")]
DetectorModel = Annotated[
    OutputPath, Option("--detector-model", metavar="FILE", help="YuNet's .onnx or BlazeFace's .tflite file.")
]
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


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command(
        "run",
        epilog="Example: fer-edge run clip.mp4 --headless --jsonl faces.jsonl --save annotated.mp4",
    )(run)


def run(
    source: Source = None,
    camera: Camera = None,
    model: Model = None,
    card: Card = None,
    threads: Threads = 1,
    detector: Detector = "auto",
    detector_model: DetectorModel = None,
    every: Every = 1,
    max_fps: MaxFps = None,
    smooth: Smooth = 0.3,
    min_size: MinSize = None,
    min_confidence: MinConfidence = 0.0,
    save: Save = None,
    jsonl: Jsonl = None,
    csv: Csv = None,
    snapshot: Snapshot = None,
    web: Web = None,
    web_host: WebHost = DEFAULT_HOST,
    web_token: WebToken = None,
    headless: Headless = False,
    max_frames: MaxFrames = None,
    force: Force = False,
    json: Json = None,
    seed: Seed = 0,
) -> None:
    """Find faces and name their expressions, live or in files. Ends with q, Ctrl-C or SIGTERM."""
    stop = _stop_on_signals()
    outputs = Outputs(save, jsonl, csv, snapshot)
    console.reserve_stdout("-" if "-" in (str(jsonl), str(csv), json) else None)
    outputs.check(json, force)
    from fer_edge.vision.opencv import cv2

    cv2.setNumThreads(threads)
    from fer_edge.loop.realtime import Loop, Pace, Watchdog
    from fer_edge.sinks import open_sinks
    from fer_edge.sources import make_capture, open_unless

    def make() -> Capture:
        return make_capture(source, camera, threads)

    capture = make()
    if not open_unless(stop, capture):
        console.say(f"stopped before {capture.name} could be opened")
        return
    from fer_edge.model import shipped
    from fer_edge.model.classifier import Classifier
    from fer_edge.vision.analysis import Analyser
    from fer_edge.vision.faces import describe_choice, make_detector

    if detector == "auto" and not detector_model:
        console.say(describe_choice())
    classifier = Classifier(model or shipped.DEFAULT_MODEL, threads, card)
    analyser = Analyser(
        make_detector(detector, detector_model, min_size, threads),
        classifier,
        policy=classifier.card.crop,
        half_life_s=smooth,
        min_confidence=min_confidence,
        still=capture.is_still,
    )
    page = _page(web, web_host, web_token, analyser.labels)
    screen = None if headless else _screen()
    if (screen or page) and not capture.is_live and not capture.is_still:
        max_fps = max_fps or capture.fps  # a film is shown at its own speed
    watchdog = Watchdog()
    loop = Loop(
        analyser,
        [*open_sinks(capture, analyser.labels, outputs, force), *([page] if page else [])],
        screen=screen,
        pace=Pace(every, max_fps, max_frames),
        stop=stop,
        alive=watchdog.beat,
    )
    watchdog.ready()
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


def _page(port: int | None, host: str, token: str | None, labels: tuple[str, ...]) -> WebPage | None:
    if port is None:
        if host != DEFAULT_HOST:
            raise UsageError("--web-host goes with --web PORT")
        return None
    from fer_edge.sinks.server import chosen
    from fer_edge.sinks.web import WebPage

    page = WebPage(chosen(host, token), port, labels)
    console.say(f"live page: {page.url}")
    return page


def _screen() -> Screen | None:
    from fer_edge.sinks.window import Screen, Window, why_no_window

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
