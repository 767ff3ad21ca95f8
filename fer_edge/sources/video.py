"""Video files, and streams by URL, through OpenCV's FFmpeg: upright, square pixels, increasing times."""

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from fer_edge import console
from fer_edge.errors import SourceError, printable
from fer_edge.pictures import kind_in
from fer_edge.sources import Capture, mjpeg, plausible_fps, without_password
from fer_edge.vision.frames import Frame, Picture
from fer_edge.vision.opencv import MAX_PIXELS, cv2

TIMEOUT_MS = round(1000 * mjpeg.TIMEOUT_S)
LIVE_SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "rtp", "srtp", "udp", "tcp", "srt")
SCHEMES = ("http", "https", *LIVE_SCHEMES)  # FFmpeg has others, which open files or generate pictures
MOST_FAILURES = 1000  # reads in a row that give nothing before a video is over: 0.3 ms at the end of a file
WHOLE = 0.9  # of the length that a file tells: containers' lengths are estimates
FRAME_S = 0.04  # where the file does not tell
JUMP_BACK_S = 0.25  # less is a frame out of order

_OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
# FFmpeg's formats that contain their pictures: none is a list of other files or addresses.
_FORMATS = (
    "mov,matroska,webm,avi,mpegts,mpegtsraw,mpeg,mpegvideo,flv,live_flv,asf,asf_o,ogg,gif,apng,webp_pipe,jpeg_pipe,"
    "h264,hevc,vvc,m4v,mjpeg,mjpeg_2000,mpjpeg,ivf,obu,av1,nut,nuv,rm,wtv,dv,mxf,gxf,yuv4mpegpipe,swf,h261,h263,vc1,"
    "dirac,roq,smk,bink,flic,fbb,lavf"
)
# FFmpeg's readers of what `kind_in` knows: to find the right one, FFmpeg would run every one, 1 MiB of code.
_READERS = {"MP4": "mov", "Matroska": "matroska", "AVI": "avi"}


class RisingTimes:
    """Makes a container's times increase: if they jump back or stand still, they continue one frame later.

    frame_s: how long a frame lasts. last_s: the latest time given.
    """

    def __init__(self, frame_s: float) -> None:
        self.frame_s = frame_s
        self.last_s = self._raw_s = -math.inf
        self._offset_s = 0.0
        self._is_behind = False

    def __call__(self, raw_s: float) -> float:
        was_behind, stands = self._is_behind, raw_s == self._raw_s
        self._is_behind = raw_s + self._offset_s < self.last_s - JUMP_BACK_S
        if self._is_behind and was_behind and not stands:  # one alone comes after a damaged spot
            self._offset_s = self.last_s + self.frame_s - raw_s
            self._is_behind = False
        time_s = raw_s + self._offset_s
        if self._is_behind or stands:
            time_s = self.last_s + self.frame_s
        self._raw_s, self.last_s = raw_s, max(time_s, self.last_s + 1e-3, 0.0)
        return self.last_s


class Video(Capture):
    """Common base of file and stream. name: without a password. unreadable: frames skipped."""

    _advice = ""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._video: cv2.VideoCapture | None = None
        self._buffers: list[cv2.typing.MatLike | None] = [None, None]  # filled in turn
        self._read = self._failures = 0

    def _begin(self, video: cv2.VideoCapture, failure: str) -> None:
        if not video.isOpened():
            raise SourceError(failure)
        self._video = video
        self._to_free.callback(video.release)
        fps, count = video.get(cv2.CAP_PROP_FPS), video.get(cv2.CAP_PROP_FRAME_COUNT)
        self.fps = plausible_fps(fps)
        self.length_s = count / fps if fps > 0 and count > 0 else None
        self._times = RisingTimes(1 / self.fps if self.fps else FRAME_S)
        self._stretch = x, y = _stretch(video)
        width, height = video.get(cv2.CAP_PROP_FRAME_WIDTH), video.get(cv2.CAP_PROP_FRAME_HEIGHT)
        if width * x * height * y > MAX_PIXELS:
            raise SourceError(f"{self.name} is larger than {MAX_PIXELS // 10**6} megapixels")

    def read(self) -> Frame | None:
        """None at the end, or if a live stream was lost; damaged spots are skipped. Raises SourceError if
        there was not a single frame."""
        assert self._video is not None, "open() comes first"
        for failures in range(1 if self.is_live else MOST_FAILURES):
            ok, picture = self._video.read(self._buffers[0])
            if ok:
                self._failures += failures
                break
        else:
            if not self.is_live:
                self._end()
            return None
        time_s = self._times(self._video.get(cv2.CAP_PROP_POS_MSEC) / 1000)
        self._read += 1
        if self._failures:
            self.unreadable = max(round(time_s / self._times.frame_s) + 1 - self._read, 1)
        if not self.is_live:
            self._buffers = [self._buffers[1], picture]
        if self._stretch != (1.0, 1.0):
            x, y = self._stretch
            picture = cv2.resize(picture, None, fx=x, fy=y, interpolation=cv2.INTER_LINEAR)
        return Frame(cast(Picture, picture), time_s, self.name)

    def _end(self) -> None:
        if self._read == 0:
            raise SourceError(f"{self.name} has no frame that can be decoded{self._advice}")
        end_s = self._times.last_s + self._times.frame_s
        if self._failures:
            console.warn(f"{self.name} is damaged: about {self.unreadable} frames skipped")
        if self.length_s and end_s < WHOLE * self.length_s:
            cut = f"ended after {end_s:.1f} of {self.length_s:.1f} s: damaged or cut short"
            console.warn(f"{self.name} {cut}{self._advice}")


class VideoFile(Video):
    """Every frame of a file, upright (OpenCV applies its rotation tag), with the file's own times."""

    def __init__(self, path: Path, num_threads: int = 1) -> None:
        super().__init__(str(path))
        self._path = path
        self._num_threads = num_threads

    def open(self) -> None:
        """Raises SourceError for a file that is missing, empty or not a video."""
        threads, before = [cv2.CAP_PROP_N_THREADS, self._num_threads], os.environ.get(_OPTIONS)
        try:
            if self._path.stat().st_size == 0:
                raise SourceError(f"{self.name} is empty")
            reader = _READERS.get(kind_in(self._path) or "")
            as_reader = f"|input_format;{reader}" if reader else ""
            # No other file or address that this one names is opened: a playlist is not a video.
            os.environ[_OPTIONS] = f"protocol_whitelist;file|format_whitelist;{_FORMATS}{as_reader}"
            with opencv_name(self._path) as name:
                video = cv2.VideoCapture(name, cv2.CAP_FFMPEG, threads)
        except OSError as error:
            raise SourceError(f"cannot read {self.name}: {error.strerror}") from error
        finally:
            os.environ.pop(_OPTIONS, None)
            if before is not None:
                os.environ[_OPTIONS] = before
        self._begin(video, f"{self.name} cannot be opened as a video: damaged, cut short or no video")


class Stream(Video):
    """A URL: RTSP and similar are live; so is HTTP, unless the server announces a length."""

    is_live = True
    _advice = " (if the server only sends whole files, download it first)"

    def __init__(self, url: str) -> None:
        super().__init__(without_password(url))
        self._url = printable(url)  # OpenCV crashes on bytes that are not UTF-8
        self._jpegs: mjpeg.MjpegPipe | None = None

    def open(self) -> None:
        """Raises SourceError for a scheme not in SCHEMES, or if there is no answer within five seconds."""
        scheme = self._url.split("://")[0].lower()
        if scheme not in SCHEMES:
            raise SourceError(f"{self.name}: streams are read from {', '.join(SCHEMES)}")
        has_length = False
        if scheme in ("http", "https"):
            self._jpegs, has_length = mjpeg.from_http(self._url)
        if self._jpegs:
            self._to_free.callback(self._jpegs.close)
            return
        timeouts = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, TIMEOUT_MS]
        video = cv2.VideoCapture(self._url, cv2.CAP_FFMPEG, timeouts)
        what = "no answer, or one that is damaged, cut short or no video"
        self._begin(video, f"no stream at {self.name}: {what}")
        self.is_live = scheme in LIVE_SCHEMES or (self.length_s is None and not has_length)

    def read(self) -> Frame | None:
        """As `Video.read`; of a camera's motion JPEG the next picture."""
        if not self._jpegs:
            return super().read()
        frame, self.unreadable = self._jpegs.read(), self._jpegs.unreadable
        self.ended, self.reopens = self._jpegs.ended, self._jpegs.reopens
        return frame


def _stretch(video: cv2.VideoCapture) -> tuple[float, float]:
    """Factors of width and height that make the pixels square: the shorter side grows."""
    across, down = video.get(cv2.CAP_PROP_SAR_NUM), video.get(cv2.CAP_PROP_SAR_DEN)
    if across <= 0 or down <= 0:
        return 1.0, 1.0
    turned = round(video.get(cv2.CAP_PROP_ORIENTATION_META)) % 180 == 90
    ratio = down / across if turned and video.get(cv2.CAP_PROP_ORIENTATION_AUTO) else across / down
    return (ratio, 1.0) if ratio > 1 else (1.0, 1 / ratio)


@contextlib.contextmanager
def opencv_name(path: Path) -> Iterator[str]:
    """A name under which OpenCV can open the file during the block.

    Absolute, because a colon in a relative name is read as a protocol. A name that is not UTF-8 would crash
    the process, so the file or its folder is opened here and named by its descriptor. Raises OSError.
    """
    name = os.path.abspath(path)
    try:
        name.encode()
    except UnicodeEncodeError:
        by_folder = path.name.isprintable()
        descriptor = os.open(path.parent if by_folder else path, os.O_RDONLY)
        held = f"/proc/self/fd/{descriptor}"
        try:
            yield f"{held}/{path.name}" if by_folder else held
        finally:
            os.close(descriptor)
    else:
        yield name
