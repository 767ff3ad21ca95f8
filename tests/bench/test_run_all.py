"""benchmarks/run_all.py: one run of all stages, of which some fail."""

import json
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def run_all(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import run_all

    return run_all


def stage(folder, name, code=0):
    """A command that writes NAME.json, as if measured, and ends with `code`."""
    value = {"machine": {"time": "2099-01-01T00:00:00+00:00"}, "disturbed": False}
    program = f"open({str(folder / f'{name}.json')!r}, 'w').write({json.dumps(value)!r}); exit({code})"
    return [sys.executable, "-c", program]


def test_a_stage_that_fails_says_so_and_the_others_go_on(run_all, monkeypatch, tmp_path, capfd):
    commands = {"shipped": stage(tmp_path, "a"), "crosscheck": stage(tmp_path, "d")}
    commands |= {"loop": stage(tmp_path, "b", 3)}
    monkeypatch.setattr(run_all, "commands", lambda options: commands)
    skipped = [word for name in ("plot", "limits", "peers") for word in ("--skip", name)]
    wanted = ["run_all.py", "--data", "x", "--clip", "y", *skipped, "--results", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", wanted)
    with pytest.raises(SystemExit) as ended:
        run_all.main()
    assert ended.value.code == "failed: loop (exit 3)"
    assert {path.stem for path in tmp_path.glob("*.json")} == {"a", "b", "d", "run"}
    stages = json.loads((tmp_path / "run.json").read_text())["stages"]
    failed = {name: how["failed"] for name, how in stages.items()}
    assert failed == {"shipped": None, "loop": "exit 3", "crosscheck": None}
    assert (tmp_path / "README.md").read_text().startswith("# Results")
    assert "FAILED: exit 3" in capfd.readouterr().out


def test_every_stage_has_a_command(run_all, monkeypatch):
    wanted = ["run_all.py", "--data", "x", "--clip", "y", "--votes", "z", "--quick"]
    monkeypatch.setattr(sys, "argv", wanted)
    assert {*run_all.commands(run_all._options()), "readme"} == set(run_all.STAGES)


def test_tables_that_cannot_be_made_are_a_failure_like_others(run_all, tmp_path):
    (tmp_path / "shipped.json").write_text("{}")
    assert run_all.written(tmp_path) == "KeyError: 'results'"


def test_results_of_an_earlier_run_are_named(run_all, tmp_path):
    tables = run_all.update_readme
    assert tables.origin(tmp_path) == ""
    for name, time in {"shipped": "10:00:00", "loop": "10:01:00", "peers": "09:59:59"}.items():
        value = {"machine": {"time": f"2026-01-02T{time}+00:00"}}
        (tmp_path / f"{name}.json").write_text(json.dumps(value))
    about = {"machine": {"time": "2026-01-02T10:00:00+00:00", "commit": "abc"}}
    (tmp_path / "run.json").write_text(json.dumps(about))
    assert tables.origin(tmp_path).endswith("commit abc; of an earlier run: peers")
