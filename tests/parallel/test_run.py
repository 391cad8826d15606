"""The same answer from every executor, whatever happens on the way."""

from __future__ import annotations

import os
import signal
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from threading import Thread

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from dyadline.errors import DyadlineError, PlanError
from dyadline.parallel import agenda
from dyadline.parallel.jobs import Part, parts_of
from dyadline.parallel.run import runner
from dyadline.parallel.store import open_store
from parallel_work import CutOff, Faulty, calls, draws, misshapen, same, threads, wait_for

PARTS = [*parts_of(0, 30, 7), *parts_of(4, 11, 5)]


@pytest.fixture(scope="module")
def expected():
    with runner() as run:
        return run(draws, PARTS)


@pytest.fixture(scope="module")
def processes():
    with runner("processes", workers=2) as run:
        yield run


@pytest.fixture(scope="module")
def dask():
    with runner("dask", workers=2) as run:
        yield run


def kill_one_of_two(signals, go):
    """Wait until two processes have begun, kill the first, and let the others go on."""

    def kill():
        wait_for(lambda: len({call[0] for call in calls(signals)}) == 2)
        os.kill(calls(signals)[0][0], signal.SIGKILL)
        go.touch()

    thread = Thread(target=kill)
    thread.start()
    return thread


def test_parts_hold_each_replicate_once():
    assert parts_of(2, 5, 2) == (Part(2, (0, 1)), Part(2, (2, 3)), Part(2, (4,)))
    assert parts_of(0, 3, 5, first=10) == (Part(0, (10, 11, 12)),)
    assert parts_of(0, 0, 5) == ()
    with pytest.raises(PlanError, match="The size of a part is a whole number of at least 1, not 0"):
        parts_of(0, 3, 0)


def test_results_stand_at_the_numbers_of_their_replicates(expected):
    assert expected.numbers == {0: tuple(range(30)), 4: tuple(range(11))}
    stream = np.random.default_rng([7, 4, 9]).standard_normal(5)
    assert expected.arrays[4]["mean"][9] == stream.mean()
    assert np.array_equal(expected.arrays[4]["square"][9], np.outer(stream, stream))
    assert not expected.failures and not expected.interrupted
    with pytest.raises(ValueError, match="read-only"):
        expected.arrays[4]["mean"][0] = 0.0


@pytest.mark.parametrize("size", [1, 4, 100])
def test_parts_may_be_cut_and_ordered_otherwise(expected, size):
    parts = [*parts_of(4, 11, size), *parts_of(0, 30, size)][::-1]
    with runner() as run:
        assert same(run(draws, parts), expected)


def test_two_processes_give_the_same_bits(processes, expected):
    assert same(processes(draws, PARTS), expected)
    assert same(processes(draws, [*parts_of(4, 11, 2), *parts_of(0, 30, 3)]), expected)


@pytest.mark.parametrize("workers", [1, 3])
def test_another_number_of_processes_gives_the_same_bits(expected, workers):
    with runner("processes", workers=workers) as run:
        assert same(run(draws, PARTS), expected)


def test_dask_gives_the_same_bits(dask, expected):
    assert same(dask(draws, PARTS), expected)


def test_an_executor_of_ones_own_gives_the_same_bits_and_stays_open(expected):
    with ThreadPoolExecutor(3) as pool:
        with runner(pool, workers=3) as run:
            assert same(run(draws, PARTS), expected)
        assert pool.submit(int).result() == 0


class Counting(Executor):
    """An executor of one thread that counts the parts that it was handed and has not done."""

    def __init__(self):
        self.pool, self.out, self.most = ThreadPoolExecutor(1), 0, 0

    def submit(self, fn, /, *args, **kwargs) -> Future:
        self.out += 1
        self.most = max(self.most, self.out)
        future = self.pool.submit(fn, *args, **kwargs)
        future.add_done_callback(lambda _: setattr(self, "out", self.out - 1))
        return future


def test_few_parts_are_out_at_a_time():
    executor = Counting()
    with runner(executor, workers=2) as run:
        assert run(draws, parts_of(0, 300, 1)).numbers == {0: tuple(range(300))}
    assert executor.most <= 4
    executor.pool.shutdown()


def test_linear_algebra_has_one_thread_in_a_part_and_its_own_number_afterwards():
    with threadpool_limits(2, user_api="blas"), ThreadPoolExecutor(2) as pool:
        with runner() as run:
            assert set(run(threads, parts_of(0, 4, 2)).arrays[0]["threads"]) == {1}
        with runner(pool, workers=2) as run:
            assert set(run(threads, parts_of(0, 40, 1)).arrays[0]["threads"]) == {1}
        assert max(info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas") == 2


RAISING = Faulty(raising=frozenset({(0, 8), (0, 13), (4, 3)}))
WORDS = {
    (0, 8): "ZeroDivisionError: by nought",
    (0, 13): "No answer. Ask another question.",
    (4, 3): "No answer. Ask another question.",
}


def check_only_these_failed(done, expected, words):
    assert {(f.task, f.number): f.words for f in done.failures} == words
    for task, numbers in expected.numbers.items():
        kept = [row for row, number in enumerate(numbers) if (task, number) not in words]
        assert done.numbers[task] == tuple(numbers[row] for row in kept)
        for name, values in expected.arrays[task].items():
            assert np.array_equal(done.arrays[task][name], values[kept])


def test_an_exception_is_a_failure_of_its_replicate_alone(processes, expected):
    with runner() as run:
        done = run(RAISING, PARTS)
    check_only_these_failed(done, expected, WORDS)
    assert same(processes(RAISING, PARTS), done)


def test_a_task_without_any_result_has_no_arrays():
    with runner() as run:
        done = run(misshapen, parts_of(1, 3, 2))
    assert done.numbers == {1: ()} and done.arrays == {1: {}}
    assert {f.words for f in done.failures} == {"ValueError: 'mean' has not one row for each of 1 replicates"}


DEADLY = Faulty(deadly=frozenset({(0, 9)}), raising=frozenset({(4, 3)}))
DEAD = {(0, 9): "its process died", (4, 3): "No answer. Ask another question."}


def test_a_replicate_that_kills_its_process_is_a_failure_and_all_others_are_there(processes, expected):
    check_only_these_failed(processes(DEADLY, PARTS), expected, DEAD)


def test_a_replicate_that_kills_its_dask_worker_is_a_failure_and_all_others_are_there(dask, expected):
    parts = [*parts_of(0, 30, 2), *parts_of(4, 11, 2)]
    check_only_these_failed(dask(DEADLY, parts), expected, DEAD)


def test_deaths_without_end_end(monkeypatch, tmp_path):
    monkeypatch.setattr(agenda, "IN_A_ROW", 1)
    every = Faulty(deadly=frozenset((0, number) for number in range(2, 200)))
    store = open_store(tmp_path, "question")
    with runner("processes", workers=1) as run:
        done = run(every, parts_of(0, 200, 2), store=store)
    assert done.numbers == {0: (0, 1)}
    assert {f.words for f in done.failures} == {"not tried: worker processes died too often in a row"}
    assert [outcome.numbers for outcome in store.found()] == [
        (0, 1)
    ]  # what was not tried is tried when it is continued


def test_a_process_killed_while_it_sends_costs_time_and_no_result(processes, expected, tmp_path):
    # Whoever waits for the other half waits for ever, and so does the run.
    assert same(processes(CutOff(tmp_path / "done"), PARTS), expected)
    assert (tmp_path / "done").exists()


def test_a_process_killed_in_mid_run_costs_time_and_no_result(processes, expected, tmp_path):
    (signals := tmp_path / "signals").mkdir()
    killer = kill_one_of_two(signals, tmp_path / "go")
    done = processes(Faulty(signals=signals, until=tmp_path / "go"), PARTS)
    killer.join()
    assert same(done, expected)
    asked = [call[1:] for call in calls(signals)]
    assert len(asked) == len(PARTS) + 1 and asked.count(calls(signals)[0][1:]) == 2


def test_a_local_dask_worker_killed_in_mid_run_costs_time_and_no_result(dask, expected, tmp_path):
    (signals := tmp_path / "signals").mkdir()
    killer = kill_one_of_two(signals, tmp_path / "go")
    done = dask(Faulty(signals=signals, until=tmp_path / "go"), PARTS)
    killer.join()
    assert same(done, expected)
    assert calls(signals)[0][1:] in [call[1:] for call in calls(signals)[1:]]


def test_a_worker_of_a_dask_scheduler_killed_in_mid_run_costs_time_and_no_result(expected, tmp_path):
    from distributed import LocalCluster

    (signals := tmp_path / "signals").mkdir()
    options = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0", "local_directory": tmp_path / "dask"}
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, silence_logs=50, **options) as cluster,
        runner("dask", scheduler=cluster.scheduler_address) as run,
    ):
        cluster.wait_for_workers(2)
        killer = kill_one_of_two(signals, tmp_path / "go")
        done = run(Faulty(signals=signals, until=tmp_path / "go"), PARTS)
        killer.join()
    assert same(done, expected)
    assert calls(signals)[0][1:] in [call[1:] for call in calls(signals)[1:]]


def test_an_executor_of_ones_own_that_breaks_is_an_error():
    words = "handed in died, and only its owner can make it anew"
    with (
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
        runner(pool, workers=1) as run,
        pytest.raises(DyadlineError, match=words),
    ):
        run(DEADLY, PARTS)


def test_progress_counts_to_the_end_and_guesses_what_is_left():
    seen = []
    with runner() as run:
        run(RAISING, PARTS, progress=seen.append)
    assert [p.done for p in seen] == [0, 7, 14, 21, 28, 30, 35, 40, 41]
    assert {p.total for p in seen} == {41} and seen[-1].failed == 3
    assert seen[0].seconds_left is None and seen[-1].seconds_left == 0
    assert all(p.seconds_left > 0 for p in seen[1:-1])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"executor": "proceses"}, "'proceses' is no executor. Did you mean 'processes'?"),
        ({"executor": "processes", "workers": 0}, "The number of workers is a whole number of at least 1, not 0"),
        ({"executor": "serial", "workers": 2}, "The executor 'serial' has one worker, not 2"),
        ({"executor": "processes", "scheduler": "tcp://a:1"}, "A scheduler is for the executor 'dask'"),
        ({"executor": "dask", "scheduler": "tcp://a:1", "workers": 2}, "A scheduler has its own workers"),
        ({"executor": "dask", "scheduler": "nowhere"}, "No Dask scheduler answers at 'nowhere'"),
        ({"executor": "dask", "scheduler": "tcp://127.0.0.1:9"}, "No Dask scheduler answers at 'tcp://127.0.0.1:9'"),
    ],
)
def test_a_wrong_choice_is_a_sentence(options, words, monkeypatch):
    monkeypatch.setattr("dyadline.parallel.cluster.REACHED", 0.5)
    with pytest.raises(PlanError) as error, runner(**options):
        pass
    assert str(error.value).startswith(words)


def test_without_dask_the_sentence_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(PlanError) as error, runner("dask"):
        pass
    assert str(error.value) == "The executor 'dask' needs Dask. Install it with: pip install \"dyadline[dask]\"."


def test_work_that_cannot_travel_and_replicates_in_two_parts_are_refused(processes):
    with pytest.raises(PlanError, match="The work cannot be sent to another process"):
        processes(lambda part: {}, PARTS)
    with pytest.raises(PlanError, match="A replicate stands in two parts"):
        processes(draws, [*PARTS, Part(4, (3,))])
