"""Trials shared by processes: each done once, those of dead processes done again."""

import os
import signal
import subprocess
import sys

import pytest

pytest.importorskip("optuna", reason="the train extra is not installed")

from fer_edge.errors import UsageError
from fer_edge.training.sweep.grid import Setting
from fer_edge.training.sweep.queue import Queue

SETTINGS = {"seed": 0, "subset": 100}
ONE, TWO = Setting(16, 50, 0.6), Setting(32, 50, 0.6)
ROW = {"epoch": 1, "val_loss": 1.0, "val_accuracy": 0.5}

CHILD = """
import sys, time, pathlib
from fer_edge.training.sweep.queue import Queue
queue = Queue(pathlib.Path(sys.argv[1]), {"seed": 0, "subset": 100})
claim = queue.claim("batch")
print(claim.setting.batch_size, flush=True)
time.sleep(600)
"""


def test_a_trial_is_given_out_once_and_in_order(tmp_path):
    first, second = Queue(tmp_path, SETTINGS), Queue(tmp_path, SETTINGS)
    first.fill("batch", [ONE, TWO])
    second.fill("batch", [ONE, TWO])  # the other process queues the same
    one, two = first.claim("batch"), second.claim("batch")
    assert (one.setting, two.setting) == (ONE, TWO)
    assert second.claim("batch") is None
    assert first.unfinished("batch") == 2
    first.complete(one, [ROW], 0.5, "a processor")
    second.fail(two, "the loss is nan")
    assert first.unfinished("batch") == 0
    assert first.claim("batch") is None  # what failed for good is not tried again
    done, failed = first.ended("batch")
    assert (done.value, done.params["batch_size"], done.user_attrs["history"]) == (0.5, 16, [ROW])
    assert failed.user_attrs["error"] == "the loss is nan"


def test_the_trial_of_a_killed_process_is_given_out_again(tmp_path):
    queue = Queue(tmp_path, SETTINGS)
    queue.fill("batch", [ONE])
    child = subprocess.Popen([sys.executable, "-c", CHILD, tmp_path], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline().strip() == "16"
        assert queue.claim("batch") is None  # its process lives
        assert queue.unfinished("batch") == 1
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
    again = queue.claim("batch")
    assert again.setting == ONE
    assert queue.ended("batch") == []  # the lost trial is no result
    queue.complete(again, [ROW], 0.5, "")
    assert len(queue.ended("batch")) == 1


def test_a_line_that_was_cut_off_is_mended(tmp_path):
    Queue(tmp_path, SETTINGS).fill("batch", [ONE])
    with (tmp_path / "study.journal").open("ab") as journal:
        journal.write(b'{"op_code": 5, "worker')
    queue = Queue(tmp_path, SETTINGS)
    claim = queue.claim("batch")
    queue.complete(claim, [ROW], 0.5, "")
    assert [trial.value for trial in Queue(tmp_path, SETTINGS).ended("batch")] == [0.5]


def test_a_folder_of_another_sweep_is_refused(tmp_path):
    Queue(tmp_path, SETTINGS)
    with pytest.raises(UsageError, match="another subset"):
        Queue(tmp_path, {**SETTINGS, "subset": None})
