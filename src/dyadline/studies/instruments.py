"""What the items of a study say: how reliable its scales are, and whether answers look as if nobody had given them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
from threadpoolctl import threadpool_limits

from dyadline.data.dataset import Dataset
from dyadline.data.recognition.instrument import Instrument
from dyadline.errors import Finding
from dyadline.measures.answers import straight_lining
from dyadline.measures.generalisability import generalisability
from dyadline.measures.measure import Measure
from dyadline.measures.registry import measure, measures
from dyadline.measures.reliability import reliability_by_occasion, scale_correlations
from dyadline.measures.scoring import Scored, scale_scores
from dyadline.plan.analysis import AnalysisPlan


def reliability_tables(dataset: Dataset, plan: AnalysisPlan) -> dict[str, pl.DataFrame]:
    """Internal consistency, generalisability and subscale correlations of every role that is scored from items.

    Returns
    -------
    ``reliability`` (role, measure, scale, time and the columns of `reliability_by_occasion`), ``generalisability``
    (role, measure, scale and its columns) and ``scale_correlations`` (role, measure and its columns), each only where
    there is something in it. Items of the baseline are asked once, so they are left out.
    """
    roles = [role for role in dataset.answers if role != "baseline"]
    # Rows are in order of dyads; numbers are quicker to group by than labels.
    time, dyad = dataset.rows["time"], dataset.rows["dyad"].rle_id()
    # A role for each thread: what takes time lets the others run. One BLAS thread each, set here because it is a
    # setting of the whole process.
    with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(max_workers=3) as pool:
        tables = list(pool.map(lambda role: _of_role(dataset.answers[role], time, dyad, role, plan), roles))
    names = dict.fromkeys(name for own in tables for name in own)
    return {name: pl.concat([own[name] for own in tables if name in own]) for name in names}


def _of_role(
    answers: pl.DataFrame, time: pl.Series, dyad: pl.Series, role: str, plan: AnalysisPlan
) -> dict[str, pl.DataFrame]:
    section = plan.columns.measures[role]
    used = measure(section.measure, plan.folder)
    main = used.scale_name(section.scale)
    # Where the plan asks for a subscale, the file may have its items only.
    scales = {s: used.items_of(s) for s in used.scales if all(str(i) in answers.columns for i in used.items_of(s))}
    head, scale = (pl.lit(role).alias("role"), pl.lit(used.name).alias("measure")), pl.lit(main).alias("scale")
    total = answers.select(str(item) for item in used.items_of(main))
    found = {
        "reliability": reliability_by_occasion(answers, time, scales).select(*head, pl.all()),
        "generalisability": generalisability(total, dyad, time).select(*head, scale, pl.all()),
    }
    parts = [name for name in scales if name != used.total]
    if len(parts) > 1:
        scores = scale_scores(answers, used).select(parts)
        found["scale_correlations"] = scale_correlations(scores, dyad, time).select(*head, pl.all())
    return found


def answer_findings(dataset: Dataset, scored: Mapping[str, Scored]) -> Iterator[Finding]:
    """What is to be noticed in the answers to the items, by role.

    Parameters
    ----------
    dataset
        With the answers.
    scored
        Measure, scale and range of each role that is scored from items.
    """
    for role, how in scored.items():
        if role != "baseline":
            answers, dyad = dataset.answers[role], dataset.rows["dyad"]
            yield from straight_lining(answers, dyad, how.measure, role=role, range=how.range)


def instruments(folder: Path) -> tuple[Instrument, ...]:
    """The measures of the registry and of a folder, as far as recognising their items in a file needs them."""
    return tuple(_instrument(one) for one in measures(folder))


def _instrument(one: Measure) -> Instrument:
    parts = one.name.casefold().split("-")
    total = one.scales[one.total]
    return Instrument(
        name=one.name,
        # wai-sr: columns are called wai… or waisr…; phq-9: phq… or phq9….
        hints=tuple(dict.fromkeys(("".join(parts), "".join(parts[:2]), parts[0]))),
        items=one.items,
        range=one.range,
        # What a therapist fills in too is the alliance.
        rates="alliance" if "therapist" in one.forms else "outcome",
        score=total.score,
        factor=total.factor,
        reverse=one.reverse,
    )
