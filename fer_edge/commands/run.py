"""`fer-edge run`: the loop on a camera, video, stream, picture or folder."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

import typer

from fer_edge import console
from fer_edge.commands import run_options as options
from fer_edge.commands.options import Force, Json
from fer_edge.errors import FerEdgeError, UsageError
from fer_edge.sinks.outputs import Outputs

if TYPE_CHECKING:
    from fer_edge.loop.realtime import Loop
    from fer_edge.sinks.screen import Screen
    from fer_edge.sinks.web import WebPage
    from fer_edge.sources.capture import Capture

DEFAULT_HOST = "127.0.0.1"


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command(
        "run",
        epilog="Example: fer-edge run clip.mp4 --headless --jsonl faces.jsonl --save annotated.mp4",
    )(run)


def run(
    source: options.Source = None,
    camera: options.Camera = None,
    model: options.Model = None,
    card: options.Card = None,
    threads: options.Threads = 1,
    detector: options.Detector = "haar",
    detector_model: options.DetectorModel = None,
    every: options.Every = 1,
    max_fps: options.MaxFps = None,
    smooth: options.Smooth = 0.3,
    min_size: options.MinSize = None,
    min_confidence: options.MinConfidence = 0.0,
    save: options.Save = None,
    jsonl: options.Jsonl = None,
    csv: options.Csv = None,
    snapshot: options.Snapshot = None,
    web: options.Web = None,
    web_host: options.WebHost = DEFAULT_HOST,
    web_token: options.WebToken = None,
    headless: options.Headless = False,
    max_frames: options.MaxFrames = None,
    force: Force = False,
    json: Json = None,
    seed: options.Seed = 0,
) -> None:
    """Find faces and name their expressions, live or in files. Ends with q, Ctrl-C or SIGTERM."""
    stop = _stop_on_signals()
    outputs = Outputs(save, jsonl, csv, snapshot)
    console.reserve_stdout("-" if "-" in (str(jsonl), str(csv), json) else None)
    outputs.check(json, force)
    from fer_edge.vision.opencv import cv2

    cv2.setNumThreads(threads)
    from fer_edge.loop.realtime import Loop
    from fer_edge.loop.steps import Pace
    from fer_edge.loop.systemd import Watchdog
    from fer_edge.sinks.opening import open_sinks
    from fer_edge.sources.opening import make_capture, open_unless

    def make() -> Capture:
        return make_capture(source, camera, threads)

    capture = make()
    if not open_unless(stop, capture):
        console.say(f"stopped before {capture.name} could be opened")
        return
    from fer_edge.model import shipped
    from fer_edge.model.classifier import Classifier
    from fer_edge.vision.analysis import Analyser
    from fer_edge.vision.faces import make_detector

    classifier = Classifier(model or shipped.DEFAULT_MODEL, threads, card)
    analyser = Analyser(
        make_detector(detector, detector_model, min_size),
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
    from fer_edge.sinks.web import WebPage
    from fer_edge.web.access import chosen

    page = WebPage(chosen(host, token), port, labels)
    console.say(f"live page: {page.url}")
    return page


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
