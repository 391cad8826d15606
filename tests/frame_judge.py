"""What becomes of a random frame: a result, a refusal in words, or something that must not be."""

from __future__ import annotations

import time
import traceback
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

from dyadline.data.dataset import make_dataset
from dyadline.errors import DataError, DataErrors, DyadlineError, Finding
from dyadline.scoring.score import score
from dyadline.workflow import run
from random_frames import random_case

SENTENCE = 900
"""Characters that what is wrong, where, and what to do may take together: a dozen columns are named at most."""

SECONDS = 60.0
FULL = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """``bad`` is empty unless this must not be."""

    seed: int
    outcome: str
    seconds: float
    bad: str = ""


def judge(seed: int) -> Judgement:
    frame, plan = random_case(seed)
    began = time.perf_counter()
    outcome, bad = "", ""
    stage = "data"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = make_dataset(frame, plan)
            bad = _findings(dataset.findings)
            stage = "scores"
            score(dataset, plan, simulations=False)
            if seed % FULL == 0:
                stage = "run"
                run(plan, frame)
            outcome = f"result ({stage})"
        except DyadlineError as error:
            bad = _message(error)
            code = error.errors[0].code if isinstance(error, DataErrors) else ""
            outcome = f"refused ({stage}): {type(error).__name__} {code}".rstrip()
        except BaseException as error:  # a panic of polars is no Exception
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            place = traceback.extract_tb(error.__traceback__)
            ours = next((f for f in reversed(place) if "dyadline" in f.filename), place[-1])
            outcome = "crashed"
            file = ours.filename.split("dyadline/")[-1]
            bad = f"{stage}: {type(error).__name__} {str(error)[:120]!r} at {file}:{ours.lineno}"
    seconds = time.perf_counter() - began
    if seconds > SECONDS:
        bad = bad or f"{seconds:.0f} s"
    return Judgement(seed=seed, outcome=outcome, seconds=seconds, bad=bad)


def judge_all(seeds: Iterable[int]) -> list[Judgement]:
    return [judge(seed) for seed in seeds]


def _message(error: DyadlineError) -> str:
    sentences = (
        str(error).split("\n  ")[1:] if isinstance(error, DataErrors) and len(error.errors) > 1 else [str(error)]
    )
    for said in sentences:
        if len(said) > SENTENCE or "\n" in said or not said.strip():
            return f"message of {len(said)} characters: {said[:200]!r}"
    return _findings(error.findings) if isinstance(error, DataError) else ""


def _findings(findings: tuple[Finding, ...]) -> str:
    for finding in findings:
        if len(finding.words) > SENTENCE or len(finding.dyad) > SENTENCE:
            return f"finding {finding.code} of {len(finding.words)} and {len(finding.dyad)} characters"
    return ""
