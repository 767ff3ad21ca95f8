"""Videos as they come: upright, square, at their own times; damaged, cut short, odd names, over HTTP."""

import contextlib
import functools
import http.server
import os

import cv2
import numpy as np
import pytest
from loop_fakes import read_all, served, write_clip

from fer_edge.errors import SourceError
from fer_edge.sources import make_capture, without_password
from fer_edge.sources.video import RisingTimes, Stream, VideoFile

TURNED_90 = (0, 0x10000, 0, -0x10000, 0, 0)  # a, b, u, c, d, v of the tkhd matrix, 16.16 fixed point


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4")


def times_of(video):
    """Of a capture, or of the file of that name."""
    return [frame.time_s for frame in read_all(video if isinstance(video, Stream) else VideoFile(video))]


def test_every_frame_with_the_time_that_the_file_gives_it(clip):
    video = VideoFile(clip)
    assert [frame.time_s for frame in read_all(video)] == pytest.approx(np.arange(20) / 10, abs=1e-3)
    assert video.fps == pytest.approx(10)


def test_a_film_too_large_is_refused_before_a_frame_is_decoded(tmp_path):
    """138 bytes of which a frame would take 3 GB."""
    still = cv2.imencode(".gif", np.zeros((64, 64, 3), np.uint8))[1].tobytes()
    path = tmp_path / "large.gif"
    path.write_bytes(still.replace(b"\x40\0\x40\0", b"\x80\x3e\x80\x3e"))
    with pytest.raises(SourceError, match=r"large\.gif is larger than 100 megapixels"):
        VideoFile(path).open()


def test_a_rotation_tag_turns_the_frames_upright(clip, tmp_path):
    data = clip.read_bytes()
    matrix = data.index(b"tkhd") + 4 + 40  # version 0: the matrix begins 40 bytes after the type
    turned = b"".join(value.to_bytes(4, "big", signed=True) for value in TURNED_90)
    path = tmp_path / "turned.mp4"
    path.write_bytes(data[:matrix] + turned + data[matrix + 24 :])
    frame = read_all(VideoFile(path))[0].bgr
    assert frame.shape == (64, 48, 3)
    assert frame[:24].mean() > 190  # a quarter turn clockwise: the bright left goes up
    assert frame[40:].mean() < 60


SQUARED = {"2:1": (48, 64), "1:2": (96, 32), "1:1": (48, 32), "0:0": (48, 32)}


@pytest.mark.parametrize("pixel", SQUARED)
def test_pixels_that_are_not_square_are_made_so(tmp_path, pixel):
    frame = b"FRAME\n" + bytes([90]) * (32 * 48) + bytes([128]) * (32 * 48 // 2)
    head = f"YUV4MPEG2 W32 H48 F10:1 Ip A{pixel} C420jpeg\n".encode()
    (tmp_path / "a.y4m").write_bytes(head + 3 * frame)
    frames = read_all(VideoFile(tmp_path / "a.y4m"))
    assert [frame.bgr.shape for frame in frames] == [(*SQUARED[pixel], 3)] * 3


def test_a_clock_that_starts_again_goes_on_a_frame_later(tmp_path):
    one, two = write_clip(tmp_path / "1.ts"), write_clip(tmp_path / "2.ts", 15)
    (tmp_path / "both.ts").write_bytes(one.read_bytes() + two.read_bytes())
    assert times_of(tmp_path / "both.ts") == pytest.approx(np.arange(35) / 10, abs=1e-3)


@pytest.mark.parametrize(
    ("told", "taken"),
    [
        ([0, 0.1, 0.2, 5.0, 5.1], [0, 0.1, 0.2, 5.0, 5.1]),  # a real gap
        ([0, 3, 6, 0, 3, 6], [0, 3, 6, 6.1, 6.2, 9.2]),
        ([9, 9.1, 0, 0.1, 0], [9, 9.1, 9.2, 9.3, 9.301]),
        ([0, 0, 0, 0, 0.1], [0, 0.1, 0.2, 0.3, 0.301]),  # stands still, and goes on
        ([0, 0, 0, 0, 0, 0, 0.1, 0.2], [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]),
        ([0, 0.1, 0.3, 0.2, 0.4], [0, 0.1, 0.3, 0.301, 0.4]),  # one frame out of order
        ([0, 3, 3.1, 1, 3.2, 3.3], [0, 3, 3.1, 3.2, 3.201, 3.3]),
        ([-0.2, -0.1, 0, 0.1], [0, 0.001, 0.002, 0.1]),
    ],
)
def test_times_rise_whatever_a_container_tells(told, taken):
    times = RisingTimes(0.1)
    assert [times(raw_s) for raw_s in told] == pytest.approx(taken)


def test_a_damaged_spot_is_skipped_and_counted(tmp_path, cases, capsys):
    data = bytearray(write_clip(tmp_path / "a.mp4", 60).read_bytes())
    third, sixth = len(data) // 3, len(data) // 6
    data[third : third + sixth] = bytes(sixth)
    (tmp_path / "hole.mp4").write_bytes(data)
    video = VideoFile(tmp_path / "hole.mp4")
    frames = read_all(video)
    assert 40 <= len(frames) == 60 - video.unreadable
    with contextlib.closing(VideoFile(tmp_path / "hole.mp4")) as early:  # a run that stops before the end
        early.open()
        for _ in frames[1:]:
            early.read()
        assert early.unreadable == video.unreadable
    assert frames[-1].time_s == pytest.approx(5.9)
    assert f"about {video.unreadable} frames skipped" in capsys.readouterr().err
    assert len(times_of(cases / "files/hole.mp4")) >= 430
    assert "about 30 frames skipped" in capsys.readouterr().err


def test_a_browser_s_webm_is_whole(cases, capsys):
    times = times_of(cases / "files/mediarecorder.webm")  # says 1000 frames a second
    assert (len(times), times[-1]) == (72, pytest.approx(2.67))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", [b"caf\xe9.mp4", b"2024-11-14T22:57.mp4", b"c%03d.mp4", b"-x.mp4", b"100"])
def test_names_that_others_stumble_over(clip, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with open(name, "wb") as file:
        file.write(clip.read_bytes())
    handles = len(os.listdir("/proc/self/fd"))
    capture = make_capture(os.fsdecode(name))
    capture.open()
    assert capture.read().bgr.shape == (48, 64, 3)
    capture.close()
    assert len(os.listdir("/proc/self/fd")) == handles


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile a.ts\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\na.ts\n#EXT-X-ENDLIST\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    ],
)
@pytest.mark.parametrize("name", ["list.m3u8", "list.ffconcat", "list.mp4"])
def test_a_list_of_other_files_is_no_video(tmp_path, monkeypatch, text, name):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;udp")
    write_clip(tmp_path / "a.ts")
    (tmp_path / name).write_text(text)
    with pytest.raises(SourceError, match="cannot be opened as a video"):
        VideoFile(tmp_path / name).open()
    assert os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] == "rtsp_transport;udp"


@pytest.mark.parametrize("scheme", ["concat", "subfile", "data", "lavfi", "CONCAT"])
def test_a_scheme_that_is_no_stream_opens_no_file(tmp_path, scheme):
    write_clip(tmp_path / "a.ts")
    with pytest.raises(SourceError, match=f"{scheme}://.*: streams are read from http, https, rtsp"):
        make_capture(f"{scheme}://{tmp_path}/a.ts").open()


class Handler(http.server.SimpleHTTPRequestHandler):  # which knows no ranges
    def copyfile(self, source, outputfile):
        data = source.read()
        with contextlib.suppress(OSError):  # hung up on
            outputfile.write(data[: int(len(data) * self.server.share)])


@pytest.fixture
def serve(tmp_path):
    with served(functools.partial(Handler, directory=tmp_path)) as server:

        def url(name, share=1.0):
            server.share = share
            return f"http://admin:word@127.0.0.1:{server.server_port}/{name}"

        yield url


@pytest.mark.parametrize("suffix", [".mp4", ".ts", ".avi"])
def test_a_file_over_http_is_read_to_its_end(serve, tmp_path, suffix):
    write_clip(tmp_path / f"a{suffix}", codec="MJPG" if suffix == ".avi" else "mp4v")
    assert len(times_of(Stream(serve(f"a{suffix}")))) == 20


def test_an_mp4_that_cannot_be_read_without_ranges_is_no_success(serve, tmp_path, media):
    (tmp_path / "a.mp4").write_bytes((media / "neutral_to_smile.mp4").read_bytes())
    said = r"http://admin:\*\*\*@127.0.0.1:\d+/a.mp4 has no frame.*download it first"
    with pytest.raises(SourceError, match=said):
        read_all(Stream(serve("a.mp4")))


def test_a_file_cut_short_over_http_is_said(serve, tmp_path, capsys):
    """As it is where the file lies here."""
    data = write_clip(tmp_path / "a.avi", 60, codec="MJPG").read_bytes()
    (tmp_path / "cut.avi").write_bytes(data[: len(data) // 2])
    for cut in (tmp_path / "cut.avi", Stream(serve("a.avi", share=0.5))):
        assert 25 <= len(times_of(cut)) < 35
        said = capsys.readouterr().err
        assert "of 6.0 s: damaged or cut short" in said
        assert "word" not in said
    write_clip(tmp_path / "index_at_end.mp4", 60)
    with pytest.raises(SourceError, match="damaged, cut short or no video"):
        Stream(serve("index_at_end.mp4", share=0.5)).open()


@pytest.mark.parametrize(("name", "said"), [("gone.mp4", "answered 404"), ("", "answered with text/html")])
def test_what_a_server_answered_is_said(serve, name, said):
    with pytest.raises(SourceError, match=rf"no stream at http://admin:\*\*\*@.*{said}"):
        Stream(serve(name)).open()
    with pytest.raises(SourceError, match=r"no stream at .*is the server reachable"):
        Stream("http://127.0.0.1:9/none").open()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://user:p@ss:word@host:554/a?b=c", "rtsp://user:***@host:554/a?b=c"),
        ("http://host/a@b:c?user=me&pwd=x&Token=y&n=1", "http://host/a@b:c?user=me&pwd=***&Token=***&n=1"),
        ("http://user@host/", "http://user@host/"),
        ("mqtt://u:p@h/t", "mqtt://u:***@h/t"),
        ("rtsp://u:2024#P?ass@h/l", "rtsp://u:***@h/l"),
        ("rtsp://h/user=a_password=x_channel=1.sdp?a=b", "rtsp://h/user=a_password=***"),
        ("mqtt://u:se/cr?t#@h/t", "mqtt://u:***@h/t"),
    ],
)
def test_a_password_is_never_written(url, shown):
    assert without_password(url) == shown
