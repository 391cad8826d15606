"""Options of executors, and the line that says how far replicates are."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from contextlib import redirect_stderr

import pytest
import typer
from typer.testing import CliRunner

from dyadline.cli.progress import progress_words, replicate_progress
from dyadline.cli.running import ExecutorOption, ResumeOption, SchedulerOption, WorkersOption
from dyadline.errors import PlanError
from dyadline.parallel.jobs import Progress, parts_of
from dyadline.parallel.run import check_running, runner
from parallel_work import draws


def command(
    executor: ExecutorOption = "serial",
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    resume: ResumeOption = False,
) -> None:
    with runner(check_running(executor, workers, scheduler), workers=workers, scheduler=scheduler) as run:
        print(len(run(draws, parts_of(0, 6, 2)).numbers[0]), resume)


def asked(*arguments):
    app = typer.Typer()
    app.command()(command)
    return CliRunner().invoke(app, arguments)


def test_options_open_an_executor():
    assert asked().stdout == "6 False\n"
    assert asked("--executor", "processes", "--workers", "1", "--resume").stdout == "6 True\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--executor", "dusk"), "'dusk' is no executor. Did you mean 'dask'?"),
        (("--executor", "processes", "--workers", "0"), "The number of workers is a whole number of at least 1, not 0"),
        (("--scheduler", "tcp://a:1"), "A scheduler is for the executor 'dask', not for 'serial'"),
        (("--executor", "dask", "--scheduler", "tcp://a:1", "--workers", "2"), "A scheduler has its own workers"),
    ],
)
def test_a_wrong_choice_is_a_sentence(arguments, words):
    error = asked(*arguments).exception
    assert isinstance(error, PlanError) and str(error).startswith(words)


@pytest.mark.parametrize(
    ("done", "failed", "seconds", "words"),
    [
        (0, 0, None, "0 of 20,000 replicates"),
        (1200, 3, 130, "1,200 of 20,000 replicates, 3 failed, about 2 min left"),
        (19000, 0, 2.6, "19,000 of 20,000 replicates, about 3 s left"),
        (19000, 0, 43, "19,000 of 20,000 replicates, about 45 s left"),
        (19000, 0, 59, "19,000 of 20,000 replicates, about 1 min left"),
        (10, 0, 36000, "10 of 20,000 replicates, about 10 h left"),
        (20000, 1, 0.0, "20,000 of 20,000 replicates, 1 failed"),
    ],
)
def test_progress_in_words(done, failed, seconds, words):
    assert progress_words(Progress(done=done, total=20000, failed=failed, seconds_left=seconds)) == words


STEP = """
from dyadline.cli.progress import replicate_progress
from dyadline.parallel.jobs import Progress
with replicate_progress() as show:
    show(Progress(done=1200, total=20000, failed=3, seconds_left=130))
print("answer")
"""


def test_a_terminal_has_a_bar_on_standard_error_and_nothing_else_has():
    silent = io.StringIO()
    with redirect_stderr(silent), replicate_progress() as show:
        show(Progress(done=1, total=2, failed=0, seconds_left=1.0))
    assert silent.getvalue() == ""
    ours, theirs = pty.openpty()
    environment = {
        **os.environ,
        "COLUMNS": "120",
        "TERM": "xterm",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    done = subprocess.run(
        [sys.executable, "-c", STEP], stdout=subprocess.PIPE, stderr=theirs, env=environment, check=True
    )
    os.close(theirs)
    assert done.stdout == b"answer\n"
    assert "1,200 of 20,000 replicates, 3 failed, about 2 min left" in os.read(ours, 100_000).decode()
    os.close(ours)
