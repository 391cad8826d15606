"""Finished parts on disk: a run that was stopped is continued, and never with another one's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dyadline.errors import PlanError
from dyadline.parallel.jobs import parts_of
from dyadline.parallel.run import runner
from dyadline.parallel.store import fingerprint_of, open_store
from parallel_work import Faulty, calls, draws, same, wait_for

TESTS = Path(__file__).resolve().parents[1]
PARTS = parts_of(3, 20, 4)


def run_here(work, parts, store=None, progress=None):
    with runner() as run:
        return run(work, parts, store=store, progress=progress)


@pytest.fixture
def folder(tmp_path):
    """Finished parts of replicates 0 to 11, of which 5 failed."""
    folder = tmp_path / "parts"
    run_here(Faulty(raising=frozenset({(3, 5)})), PARTS[:3], open_store(folder, "question"))
    return folder


def recomputed(folder, tmp_path, parts=PARTS):
    """Numbers that are carried out when the run is continued, and its answer."""
    (signals := tmp_path / "signals").mkdir()
    seen = []
    done = run_here(Faulty(signals=signals), parts, open_store(folder, "question", resume=True), seen.append)
    assert seen[0].done + sum(call[3] for call in calls(signals)) == 20 and seen[0].seconds_left is None
    return sorted((first, count) for _, _, first, count in calls(signals)), done


def test_only_what_is_missing_is_carried_out_and_failures_stay(folder, tmp_path):
    again, done = recomputed(folder, tmp_path)
    assert again == [(12, 4), (16, 4)]
    assert same(done, run_here(Faulty(raising=frozenset({(3, 5)})), PARTS))


def test_a_run_may_be_continued_in_other_parts(folder, tmp_path):
    again, done = recomputed(folder, tmp_path, parts_of(3, 20, 10))
    assert again == [(12, 8)]
    assert same(done, run_here(Faulty(raising=frozenset({(3, 5)})), PARTS))


@pytest.mark.parametrize("damage", [lambda b: b[:-20], lambda b: b[:300] + b"!" + b[301:], lambda b: b""])
def test_a_damaged_part_is_carried_out_again(folder, tmp_path, damage):
    victim = sorted(folder.glob("*.npz"))[2]
    victim.write_bytes(damage(victim.read_bytes()))
    (folder / ".000003-000000016-0.npz.99.part").write_bytes(b"what a killed process left")
    again, done = recomputed(folder, tmp_path)
    assert again == [(8, 4), (12, 4), (16, 4)]
    assert same(done, run_here(Faulty(raising=frozenset({(3, 5)})), PARTS))


def test_another_question_is_refused_and_mixes_with_nothing(folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(PlanError, match="finished parts of another question: plan, seed or version differ"):
        open_store(folder, "other", resume=True)
    with pytest.raises(PlanError, match="holds finished parts of an earlier run"):
        open_store(folder, "question")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    (folder / "manifest.json").write_text("{")
    with pytest.raises(PlanError, match="without a readable manifest"):
        open_store(folder, "question", resume=True)
    assert list(open_store(folder, "other", force=True).found()) == []


def test_a_folder_in_whose_place_is_a_file_is_a_sentence(tmp_path):
    (tmp_path / "parts").touch()
    with pytest.raises(PlanError, match="The folder 'parts' cannot be used"):
        open_store(tmp_path / "parts", "question")


def test_fingerprints_tell_facts_apart_and_not_their_order():
    facts = {"plan": "a", "seed": 1}
    assert fingerprint_of(facts) == fingerprint_of({"seed": 1, "plan": "a"}) != fingerprint_of({"plan": "a", "seed": 2})


SCRIPT = """
import json, sys
from pathlib import Path
from dyadline.parallel.jobs import parts_of
from dyadline.parallel.run import runner
from dyadline.parallel.store import open_store
from parallel_work import Faulty

def main(folder):
    work = Faulty(signals=folder / "signals", until=folder / "never", waiting=12)
    with runner(sys.argv[2], workers=2) as run:
        done = run(work, parts_of(3, 20, 4), store=open_store(folder / "parts", "question"))
    print(json.dumps({"interrupted": done.interrupted, "numbers": done.numbers[3]}))

GUARD
    main(Path(sys.argv[1]))
"""


def started(tmp_path, executor, guard="if __name__ == '__main__':"):
    (tmp_path / "signals").mkdir()
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.replace("GUARD", guard))
    path = os.pathsep.join([*(entry for entry in sys.path if entry), str(TESTS)])
    return subprocess.Popen(
        [sys.executable, script, tmp_path, executor],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": path},
    )


def three_done_and_two_begun(tmp_path):
    return len(list(tmp_path.glob("parts/*.npz"))) == 3 and len(calls(tmp_path / "signals")) == 5


def running(group):
    """Processes of a group that are not zombies."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            facts = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(facts[2]) == group and facts[0] != "Z":
            found.append(int(entry.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize("executor", ["processes", "dask"])
def test_ctrl_c_keeps_what_is_finished_and_leaves_no_process(tmp_path, executor):
    with started(tmp_path, executor) as process:
        wait_for(lambda: three_done_and_two_begun(tmp_path))
        os.killpg(process.pid, signal.SIGINT)  # a terminal tells the workers, too
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 0 and errors == ""
    assert json.loads(output) == {"interrupted": True, "numbers": list(range(12))}
    wait_for(lambda: not running(process.pid))
    store = open_store(tmp_path / "parts", "question", resume=True)
    (tmp_path / "never").touch()
    (again := tmp_path / "again").mkdir()
    assert same(run_here(Faulty(signals=again), PARTS, store), run_here(draws, PARTS))
    assert [call[2:] for call in calls(again)] == [(12, 4), (16, 4)]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_workers_end_with_a_main_process_that_was_killed(tmp_path):
    with started(tmp_path, "processes") as process:
        wait_for(lambda: three_done_and_two_begun(tmp_path))
        assert len(running(process.pid)) >= 3
        process.kill()
        process.communicate(timeout=60)
    wait_for(lambda: not running(process.pid))


def test_a_script_without_a_guard_gets_a_sentence(tmp_path):
    with started(tmp_path, "processes", "if True:") as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert (
        "Worker processes die before they have begun. In a script, the call has to stand below: if __name__" in errors
    )
