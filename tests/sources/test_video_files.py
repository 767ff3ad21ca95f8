"""Videos: every frame, upright, with their times; damaged ones in a line."""

import cv2
import numpy as np
import pytest

from fer_edge.errors import SourceError
from fer_edge.sources import plausible_fps
from fer_edge.sources.video import VideoFile

TURNED_90 = (0, 0x10000, 0, -0x10000, 0, 0)  # a, b, u, c, d, v of the tkhd matrix, 16.16 fixed point


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """20 frames of 64x48 at 10 fps: the left half bright, the right half dark."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10.0, (64, 48))
    frame = np.zeros((48, 64, 3), np.uint8)
    frame[:, :32] = 255
    for _ in range(20):
        writer.write(frame)
    writer.release()
    return path


def read_all(path):
    video = VideoFile(path)
    video.open()
    frames = []
    while (frame := video.read()) is not None:
        frames.append((frame.bgr.copy(), frame.time_s))
    video.close()
    assert video.ended
    return video, frames


def test_every_frame_with_the_time_that_the_file_gives_it(clip):
    video, frames = read_all(clip)
    assert video.fps == pytest.approx(10)
    assert [time for _, time in frames] == pytest.approx(np.arange(20) / 10, abs=1e-3)


def test_a_rotation_tag_turns_the_frames_upright(clip, tmp_path):
    data = clip.read_bytes()
    matrix = data.index(b"tkhd") + 4 + 40  # version 0: the matrix begins 40 bytes after the type
    turned = b"".join(value.to_bytes(4, "big", signed=True) for value in TURNED_90)
    path = tmp_path / "turned.mp4"
    path.write_bytes(data[:matrix] + turned + data[matrix + 24 :])
    frame = read_all(path)[1][0][0]
    assert frame.shape == (64, 48, 3)
    assert frame[:24].mean() > 200  # a quarter turn clockwise: the bright left goes up
    assert frame[40:].mean() < 50


@pytest.mark.parametrize(("kept", "reason"), [(0.0, "is empty"), (0.5, "damaged, cut short")])
def test_what_does_not_open_is_named_in_a_line(clip, tmp_path, capfd, kept, reason):
    data = clip.read_bytes()
    path = tmp_path / "bad.mp4"
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(SourceError, match=rf"bad\.mp4 .*{reason}"):
        VideoFile(path).open()
    assert capfd.readouterr().err == ""  # FFmpeg's own complaint is kept away


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"gone\.mp4: No such file"):
        VideoFile(tmp_path / "gone.mp4").open()


@pytest.mark.parametrize(("said", "taken"), [(0.0, None), (29.97, 29.97), (9e4, None), (np.nan, None)])
def test_rates_that_cannot_be_are_not_believed(said, taken):
    assert plausible_fps(said) == taken


def test_the_real_clip_has_its_72_frames(media):
    assert len(read_all(media / "neutral_to_smile.mp4")[1]) == 72
