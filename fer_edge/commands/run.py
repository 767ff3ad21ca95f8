"""`fer-edge run`: the loop on a camera, video, stream, picture or folder."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument, Option

from fer_edge import console
from fer_edge.commands import options
from fer_edge.commands.options import Force, Json
from fer_edge.errors import FerEdgeError, UsageError

if TYPE_CHECKING:
    from fer_edge.loop import Loop
    from fer_edge.sinks.web import WebPage
    from fer_edge.sinks.window import Screen
    from fer_edge.sources import Capture

DEFAULT_HOST = "127.0.0.1"


_SOURCE = "Camera number, video, URL, picture, folder, or - for motion JPEG. Default: camera 0."
Source = Annotated[str | None, Argument(metavar="[SOURCE]", help=_SOURCE)]
Camera = Annotated[str | None, Option("--camera", metavar="N", help="Camera: number, /dev path, or 'pi'.")]
Model = Annotated[
    str | None,
    Option(
        "--model",
        metavar="NAME|PATH",
        help="Shipped model or .tflite file; default: the best on this kind of processor.",
        autocompletion=options.complete_models,
    ),
]
Card = Annotated[
    Path | None, Option("--card", help="Card of a model that has none of its own.", metavar="FILE")
]
Detector = Annotated[str, Option("--detector", help="auto, haar, yunet or blazeface.")]
DetectorModel = Annotated[
    Path | None,
    Option("--detector-model", help="YuNet's .onnx or BlazeFace's .tflite file.", metavar="FILE"),
]
MinSize = Annotated[
    int | None, Option("--min-size", help="Smallest face to look for.", min=1, metavar="PIXELS")
]
Smooth = Annotated[
    float, Option("--smooth", help="Half-life of the averaging; 0: none.", min=0.0, metavar="SECONDS")
]
MinConfidence = Annotated[
    float, Option("--min-confidence", help="Below it the label is 'uncertain'.", min=0.0, max=1.0)
]
Threads = Annotated[int, Option("--threads", help="Threads of the computations.", min=1)]
Every = Annotated[int, Option("--every", help="Analyse one frame of N.", min=1)]
MaxFps = Annotated[float | None, Option("--max-fps", help="Take no more frames a second.", min=0.01)]
MaxFrames = Annotated[int | None, Option("--max-frames", help="End after so many frames.", min=1)]
Save = Annotated[
    Path | None, Option("--save", help="Annotated video, or picture of a picture.", metavar="FILE")
]
Jsonl = Annotated[
    Path | None, Option("--jsonl", help="A JSON line a frame; - for standard output.", metavar="FILE")
]
Csv = Annotated[Path | None, Option("--csv", help="A row a face.", metavar="FILE")]
Snapshot = Annotated[
    Path | None, Option("--snapshot", help="The best picture of each person: FILE-1.png ...", metavar="FILE")
]
_MQTT = "Tell a broker who comes, changes and goes: mqtt://[user:password@]host/topic."
Mqtt = Annotated[str | None, Option("--mqtt", help=_MQTT, envvar="FER_EDGE_MQTT", metavar="URL")]
Headless = Annotated[bool, Option("--headless", help="No window.")]
Web = Annotated[
    int | None,
    Option("--web", help="A live page for browsers on this machine.", min=0, max=65535, metavar="PORT"),
]
_HOST = "Where the page listens; beyond this machine by token."
WebHost = Annotated[str, Option("--web-host", help=_HOST, metavar="ADDRESS")]
_TOKEN = "The page's token; by default drawn where one is needed."
WebToken = Annotated[
    str | None, Option("--web-token", help=_TOKEN, envvar="FER_EDGE_WEB_TOKEN", metavar="TOKEN")
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
    mqtt: Mqtt = None,
    web: Web = None,
    web_host: WebHost = DEFAULT_HOST,
    web_token: WebToken = None,
    headless: Headless = False,
    max_frames: MaxFrames = None,
    force: Force = False,
    json: Json = None,
) -> None:
    """Find faces and name their expressions, live or in files. Ends with q, Ctrl-C or SIGTERM."""
    _open_standard_streams()
    stop = _stop_on_signals()
    # Nothing here calls numpy's BLAS, which would start a thread a core and have them spin for a while.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from fer_edge.sinks import Outputs, open_sinks  # after the signals: loading takes its time

    outputs = Outputs(save, jsonl, csv, snapshot, mqtt)
    console.reserve_stdout("-" if "-" in (str(jsonl), str(csv), json) else None)
    outputs.check(json, force, source)
    from fer_edge.vision.opencv import cv2

    cv2.setNumThreads(threads)
    from fer_edge.loop import Loop, Pace, Watchdog
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
    classifier = Classifier(model or shipped.best_here(), threads, card)
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
    watched = bool(screen or page) and not capture.is_still
    watchdog = Watchdog()
    loop = Loop(
        analyser,
        [*open_sinks(capture, analyser.labels, outputs, force), *([page] if page else [])],
        screen=screen,
        pace=Pace(every, max_fps, max_frames, own_speed=watched and max_fps is None),
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


def _open_standard_streams() -> None:
    """A closed one leads nowhere, or the next file would take its place and get what is printed."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w")


def _stop_on_signals() -> threading.Event:
    """Set by SIGINT, SIGTERM and SIGHUP; the second signal of a kind has its usual effect."""
    stop = threading.Event()

    def ask_to_stop(number: int, _frame: Any) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    def hang_up(number: int, _frame: Any) -> None:
        ask_to_stop(number, _frame)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):  # a terminal that is no more takes nothing
            with contextlib.suppress(OSError):
                if stat.S_ISCHR(os.fstat(stream).st_mode):
                    os.dup2(nowhere, stream)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask_to_stop)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup
        signal.signal(signal.SIGHUP, hang_up)
    return stop


def _page(port: int | None, host: str, token: str | None, labels: tuple[str, ...]) -> WebPage | None:
    if port is None:
        if host != DEFAULT_HOST:
            raise UsageError("--web-host goes with --web PORT")
        return None
    from fer_edge.sinks.web import WebPage, chosen

    page = WebPage(chosen(host, token), port, labels)
    console.say(f"live page: {page.server.url}")
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
    console.write_json(json, {**about, **summary.as_dict(capture.is_still)}, force)
    if not capture.is_still or summary.frames != 1:
        for line in summary.lines(capture.is_still):
            console.say(line)
