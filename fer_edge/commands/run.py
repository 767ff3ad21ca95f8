"""`fer-edge run`: the loop on a camera, video, stream, picture or folder."""

import _thread
import contextlib
import os
import signal
import stat
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from fer_edge import console
from fer_edge.commands import options
from fer_edge.errors import FerEdgeError, UsageError
from fer_edge.vision import DETECTORS

DEFAULT_HOST = "127.0.0.1"
_SOURCE = "Camera number, video, URL, picture, folder, or - for motion JPEG. Default: camera 0."
_MODEL = "Included model or .tflite file; default: the best on this kind of processor."
_DETECTOR = f"{', '.join(DETECTORS[:-1])} or {DETECTORS[-1]}."
_SMOOTH = "Half-life of the moving average; 0: off."
_MQTT = "Send events to a broker: mqtt://[user:password@]host/topic."
_WEB = "Serve a live page to browsers on this machine."
_HOST = "Address to serve the page on; other machines need the token."
_TOKEN = Option(metavar="TOKEN", help="The page's token; default: a random one.", envvar="FER_EDGE_WEB_TOKEN")


def run(
    source: Annotated[str | None, Argument(metavar="[SOURCE]", help=_SOURCE)] = None,
    camera: Annotated[str | None, Option(metavar="N", help="Camera: number, /dev path, or 'pi'.")] = None,
    model: Annotated[str | None, Option(metavar="NAME|PATH", help=_MODEL)] = None,
    card: options.Card = None,
    threads: Annotated[int, Option(min=1, help="Threads for inference and pictures.")] = 1,
    detector: Annotated[str, Option(help=_DETECTOR)] = "auto",
    detector_model: Annotated[Path | None, options.file("YuNet's .onnx or BlazeFace's .tflite file.")] = None,
    every: Annotated[int, Option(min=1, help="Analyse one in N frames of a camera or video.")] = 1,
    max_fps: Annotated[float | None, Option(min=0.01, help="Frames per second, at most.")] = None,
    smooth: Annotated[float, Option(min=0.0, metavar="SECONDS", help=_SMOOTH)] = 0.3,
    min_size: Annotated[int | None, Option(min=1, metavar="PX", help="Smallest face to look for.")] = None,
    min_confidence: Annotated[float, Option(min=0, max=1, help="Label faces below this 'uncertain'.")] = 0.0,
    save: Annotated[Path | None, options.file("Write the annotated video or picture.")] = None,
    jsonl: Annotated[
        Path | None, options.file("Write a JSON line per frame; - for standard output.", dash=True)
    ] = None,
    csv: Annotated[Path | None, options.file("Write a row per face.", dash=True)] = None,
    snapshot: Annotated[Path | None, options.file("Write each person's best picture: FILE-1.png ...")] = None,
    mqtt: Annotated[str | None, Option(metavar="URL", help=_MQTT, envvar="FER_EDGE_MQTT")] = None,
    web: Annotated[int | None, Option(min=0, max=65535, metavar="PORT", help=_WEB)] = None,
    web_host: Annotated[str, Option(metavar="ADDRESS", help=_HOST)] = DEFAULT_HOST,
    web_token: Annotated[str | None, _TOKEN] = None,
    headless: Annotated[bool, Option(help="No window.")] = False,
    max_frames: Annotated[int | None, Option(min=1, help="Stop after N frames.")] = None,
    force: options.Force = False,
    json: options.Json = None,
) -> None:
    """Find faces and label their expressions, live or in files. Stop with q, Ctrl-C or SIGTERM."""
    _open_standard_streams()
    stop = _stop_on_signals()
    # Nothing here uses numpy's BLAS, which would start one busy thread per core.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from fer_edge.sinks import Outputs, open_sinks  # after the signals: loading takes a while

    if web is None and web_host != DEFAULT_HOST:
        raise UsageError("--web-host needs --web PORT")
    outputs = Outputs(save, jsonl, csv, snapshot, mqtt, None if web is None else (web_host, web, web_token))
    outputs.check(json, force, source, model, card, detector_model)
    from fer_edge.vision.opencv import cv2

    cv2.setNumThreads(threads)
    from fer_edge.loop import Loop, Watchdog
    from fer_edge.sources import make_capture, open_unless

    make = partial(make_capture, source, camera, threads)
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
    still, classifier = capture.is_still, Classifier(model or shipped.best_here(), threads, card)
    finder = make_detector(detector, detector_model, min_size, threads)
    analyser = Analyser(finder, classifier, half_life_s=smooth, min_confidence=min_confidence, still=still)
    screen = None
    if not headless:
        from fer_edge.sinks.window import Screen, why_no_window

        if reason := why_no_window():
            console.say(f"no window: {reason}; continuing without one (--headless avoids this message)")
        else:
            screen = Screen()
    sinks = open_sinks(capture, analyser.labels, outputs, force)
    pace: dict[str, Any] = {"every": every, "max_fps": max_fps, "max_frames": max_frames}
    pace["own_speed"] = bool(screen or outputs.page) and not still  # for who watches a file
    loop = Loop(analyser, sinks, screen=screen, stop=stop, alive=Watchdog().beat, **pace)
    failure = None
    try:
        loop.run(capture, make)
    except FerEdgeError as error:
        failure = error
    summary = loop.summary
    if summary.frames or not failure:
        about = {"source": capture.name, "model": str(classifier.path), "threads": threads}
        console.write_json(json, {**about, **summary.as_dict(still)}, force)
        for line in [] if still and summary.frames == 1 else summary.lines(still):
            console.say(line)
    if failure:
        raise failure


def _open_standard_streams() -> None:
    """Opens closed ones on /dev/null, or the next file would take their number and get what is printed."""
    while (number := os.open(os.devnull, os.O_RDWR)) < 3:  # the lowest that is free
        pass
    os.close(number)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w")


def _stop_on_signals() -> threading.Event:
    """Set by SIGINT, SIGTERM and SIGHUP; the second signal of a kind has its usual effect."""
    stop = threading.Event()

    def ask_to_stop(number: int, _frame: Any) -> None:
        # In another thread: this one may be inside stop.wait() and hold the lock that set() takes.
        _thread.start_new_thread(stop.set, ())
        signal.signal(number, signal.SIG_DFL)
        if number == signal.SIGHUP:  # the terminal is gone
            nowhere = os.open(os.devnull, os.O_RDWR)
            for stream in range(3):
                with contextlib.suppress(OSError):
                    if stat.S_ISCHR(os.fstat(stream).st_mode):
                        os.dup2(nowhere, stream)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, ask_to_stop)
    return stop
