"""The trials of a sweep in Optuna's journal, shared by processes and by machines with a common folder.

Each trial that runs holds a file lock, which its process cannot outlive: whoever asks for work next finds
the trials of dead processes and puts them back, and the training goes on from its checkpoint. Optuna's own
heartbeat does this for databases only.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from fer_edge import files
from fer_edge.errors import DataError, MissingExtraError, UsageError
from fer_edge.training.sweep.grid import Setting

try:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
    from optuna.trial import FrozenTrial, Trial, TrialState
except ImportError as error:
    raise MissingExtraError("optuna", "train", "a sweep") from error


@dataclass
class Claim:
    """A trial that is this process's own until it is told or the process ends."""

    stage: str
    trial: Trial
    setting: Setting
    lock: IO[bytes]


class Queue:
    """One study a stage, named as the stage, in folder/study.journal.

    settings: what must be the same for all processes of the sweep. Raises UsageError, naming what differs,
    for a folder of another sweep, DataError for a damaged journal.
    """

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        optuna.logging.set_verbosity(logging.ERROR)
        self.folder = folder
        files.make_folders(folder / "locks")
        journal = (folder / "study.journal").resolve()
        with self._alone():
            _same_sweep(folder / "settings.json", settings)
            # A plain lock file: Optuna's symbolic link cannot be aged where its target's path is relative.
            lock = JournalFileOpenLock(str(journal))
            _mend(journal, lock)
            try:
                self.storage = JournalStorage(JournalFileBackend(str(journal), lock))
            except (ValueError, KeyError) as error:
                raise DataError(f"{journal} is damaged ({error}): choose another --out") from error

    def study(self, stage: str) -> optuna.Study:
        return optuna.create_study(
            storage=self.storage, study_name=stage, direction="maximize", load_if_exists=True
        )

    def fill(self, stage: str, settings: list[Setting]) -> None:
        """Queues the settings that the stage has not yet; those that another process queued are left."""
        with self._alone():
            study = self.study(stage)
            for setting in settings:
                study.enqueue_trial(asdict(setting), skip_if_exists=True)

    def claim(self, stage: str) -> Claim | None:
        """The next trial that waits, after those of dead processes were put back; None if none waits."""
        with self._alone():
            study = self.study(stage)
            for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                if (lock := self._locked(stage, trial.number)) is not None:
                    lock.close()
                    study.tell(trial.number, state=TrialState.FAIL)
                    study.enqueue_trial(trial.system_attrs["fixed_params"])
            if not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
                return None
            chosen = study.ask()
            setting = Setting(
                chosen.suggest_int("batch_size", 2, 1 << 20),
                chosen.suggest_int("epochs", 1, 1 << 20),
                chosen.suggest_float("dropout", 0, 1),
            )
            lock = self._locked(stage, chosen.number)
            assert lock is not None, "only a process inside _alone takes these"
            return Claim(stage, chosen, setting, lock)

    def complete(self, claim: Claim, history: list[dict[str, float]], accuracy: float, device: str) -> None:
        """Ends a trial. accuracy: validation accuracy 0..1 of its best epoch."""
        claim.trial.set_user_attr("history", history)
        claim.trial.set_user_attr("device", device)
        self.study(claim.stage).tell(claim.trial.number, accuracy)
        claim.lock.close()

    def fail(self, claim: Claim, why: str) -> None:
        """Ends a trial that cannot be trained; it is not tried again."""
        claim.trial.set_user_attr("error", why)
        self.study(claim.stage).tell(claim.trial.number, state=TrialState.FAIL)
        claim.lock.close()

    def unfinished(self, stage: str) -> int:
        """How many trials wait or run, in whatever process."""
        states = (TrialState.WAITING, TrialState.RUNNING)
        return len(self.study(stage).get_trials(deepcopy=False, states=states))

    def ended(self, stage: str) -> list[FrozenTrial]:
        """Trials with a result, and those that failed for good, in their order."""
        trials = self.study(stage).get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.FAIL))
        return [t for t in trials if t.state == TrialState.COMPLETE or "error" in t.user_attrs]

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with (self.folder / "locks" / "queue").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _locked(self, stage: str, number: int) -> IO[bytes] | None:
        lock = (self.folder / "locks" / f"{stage}-{number}").open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            return None
        return lock


def _same_sweep(path: Path, settings: dict[str, Any]) -> None:
    if not path.exists():
        files.write_text(path, json.dumps(settings, indent=2) + "\n")
        return
    try:
        before = files.parse_json(path.read_bytes())
    except ValueError as error:
        raise DataError(f"{path} is damaged ({error}): choose another --out") from error
    for name, value in json.loads(json.dumps(settings)).items():
        if before.get(name) != value:
            raise UsageError(
                f"{path.parent} holds a sweep with another {name} ({before.get(name)!r}, not {value!r}): "
                "choose another --out"
            )


def _mend(journal: Path, lock: JournalFileOpenLock) -> None:
    """Cuts a last line that a lost power supply left unfinished, on which Optuna would stumble for ever."""
    if not journal.exists():
        return
    lock.acquire()
    try:
        content = journal.read_bytes()
        if content and not content.endswith(b"\n"):
            os.truncate(journal, content.rfind(b"\n") + 1)
    finally:
        lock.release()
