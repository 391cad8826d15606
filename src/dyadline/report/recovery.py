"""The recovery certificate as a page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from dyadline.report.document import Block, Cell, Document, Paragraph, Part, Section
from dyadline.report.numbers import count, number, proportion
from dyadline.report.tables.recovery import FAR, WORDS, recovery_table, term_names, type_i_table
from dyadline.studies.certificate.certificate import Certificate
from dyadline.studies.certificate.performance import beyond_two, chance_of
from dyadline.studies.certificate.replicates import Task
from dyadline.studies.certificate.summary import JUDGED, NEAR_ZERO
from dyadline.studies.twins import STUDIES, parameters
from dyadline.words import counted, listed

SHOWN = 20
"""Failures that the page names before it counts the others."""

SHOWN_FITS = {3: ("drawn", "the outcome as drawn"), 2: ("null", "where it is true")}
"""Version of the outcome, and words for it, that a model's table of recovery is of."""

TOLD_ONCE = ~((pl.col("version") == "null") & (pl.col("model") == 3))
"""Rows of ``recovery`` that no other repeats: see `summary.told_once`."""


def compose_certificate(found: Certificate) -> Document:
    """The page: what was done, type I error, one section per kind of study, formulas.

    It depends on the certificate's numbers alone, so that the same seeds make the same page.
    """
    kinds = [
        Section(key=f"{task.study}-{task.dyads}", title=_title(task), blocks=tuple(_kind(found, task)))
        for task in found.tasks
    ]
    return Document(
        title="Recovery certificate",
        subtitle=f"dyadline {found.version}. Every number, and the page itself, comes from: {_command(found)}",
        summary=tuple(_summary(found)),
        sections=(
            Section(key="done", title="What was done", blocks=tuple(_done(found))),
            Section(key="type-i", title="Type I error", blocks=tuple(_type_i(found))),
            *kinds,
            Section(key="numbers", title="How the numbers are made", blocks=tuple(_formulas())),
        ),
    )


def _command(found: Certificate) -> str:
    studies = [task.study for task in found.tasks if not task.larger]
    sizes = [task.dyads for task in found.tasks if not task.larger]
    words = [f"dyadline certify --seeds {found.seeds}"]
    if sorted(studies) != sorted(STUDIES):
        words.append(f"--studies {','.join(studies)}")
    if sizes != [parameters(study)["dyads"] for study in studies]:
        words.append(f"--dyads {sizes[0]}")
    return " ".join(words)


def _title(task: Task) -> str:
    return f"{task.study}, {counted(task.dyads, 'dyad')}"


def _summary(found: Certificate) -> Iterator[Paragraph]:
    yield Paragraph(heading="Type I error.", parts=tuple(_type_i_summary(found)))
    said = []
    for part, words in (("fixed", "fixed effects"), ("variance", "variances and covariances")):
        rows = found.recovery.filter((pl.col("part") == part) & TOLD_ONCE)
        beyond = rows.filter(pl.col("beyond") != "")
        where = f" (of {listed(beyond['study'].unique(maintain_order=True).to_list())})" if beyond.height else ""
        said.append(f"{count(beyond.height) if beyond.height else 'none'} of {count(rows.height)} {words}{where}")
    why = "; the sections say why" if found.recovery["reason"].is_in(["boundary", "large_sample"]).any() else ""
    sentence = f"Farther off than chance explains are {said[0]} and {said[1]} in the models below{why}."
    unexplained = found.recovery.filter(pl.col("reason") == "unexplained").height
    if unexplained:
        sentence += f" For {counted(unexplained, 'of them', 'of them')} no reason is known."
    yield Paragraph(heading="Bias, standard errors, coverage.", parts=(sentence,))
    fits, doubtful = (int(found.fits[name].sum()) for name in ("replicates", "not_converged"))
    failed = counted(len(found.failures), "draw")
    sentence = f"{failed} without an answer, and {count(doubtful)} of {count(fits)} fits without a certified optimum."
    yield Paragraph(heading="Failures.", parts=(sentence,))


def _type_i_summary(found: Certificate) -> Iterator[Part]:
    slopes = found.type_i.filter(
        (pl.col("df") == "satterthwaite") & (pl.col("term") == "time:convergence") & ~pl.col("larger")
    )
    yield "Where convergence has no effect on the slope, its test at .05 (Satterthwaite) is significant in this share "
    yield "of draws: "
    for place, row in enumerate(slopes.iter_rows(named=True)):
        yield "; " if place else ""
        yield f"{row['study']}, Model {row['model']}: "
        yield Cell(value=row["type_i"], kind="proportion", decimals=4)
        yield " "
        yield Cell(value=(row["type_i_low"], row["type_i_high"]), kind="bounds", decimals=3)
    beyond = int(found.type_i["beyond"].sum())
    verdict = "None departs" if not beyond else f"{counted(beyond, 'test departs', 'tests depart')}"
    yield f". {verdict} from .05 by more than chance does to so many tests of convergence."


def _done(found: Certificate) -> Iterator[Block]:
    yield Paragraph(
        parts=(
            "The synthetic twins of the paper's two studies are drawn again and again from the parameters in their "
            "files, and each draw goes the way of every study: the frame is read and validated, ratings become growth "
            "curves, curves become scores, and scores predict the outcome in Models 2 and 3 (REML, Satterthwaite). The "
            "simulator draws the outcome given the very scores that the analysis makes, so that Model 3 is true as "
            "written and each estimate has a value that it should have. What happens where true curves drive the "
            "outcome and scores only estimate them (attenuation) is a matter of power, not of this page.",
        )
    )
    larger = [task for task in found.tasks if task.larger]
    also = (
        f" The larger studies ({listed([_title(task) for task in larger])}) show whether a bias shrinks with size."
        if larger
        else ""
    )
    yield Paragraph(
        heading="Seeds.",
        parts=(
            f"{count(found.seeds)} draws of each kind of study.{also} Draw 17 is what dyadline simulate makes with "
            "--seed 17 (and --dyads where there are other numbers of dyads than the paper's), analysed with the twin's "
            "plan and its separate baseline column. Nothing depends on how the work was divided or where it ran: the "
            "same seeds give the same page.",
        ),
    )
    yield Paragraph(
        heading="Without convergence.",
        parts=(
            "For type I error the effects of convergence are taken out of each drawn outcome; for Model 2 also those "
            "of everything else that it leaves out, because only then is it true. In Model 3 this shifts estimates and "
            "nothing else, so there the type I error is one minus the coverage of the same effect. Model 2 is not "
            "shown for the outcome as drawn: it leaves out what has an effect, and the values that it should then find "
            "stand in no file.",
        ),
    )
    for failure in found.failures[:SHOWN]:
        title = f"No answer: {_title(found.tasks[failure.task])}, seed {failure.number}."
        yield Paragraph(heading=title, parts=(failure.words,))
    if len(found.failures) > SHOWN:
        yield Paragraph(parts=(f"And {count(len(found.failures) - SHOWN)} further draws without an answer.",))


def _type_i(found: Certificate) -> Iterator[Block]:
    yield type_i_table(found.type_i, {(task.study, task.dyads): _title(task) for task in found.tasks})
    own = found.type_i.filter(pl.col("df") == "satterthwaite")
    outside = own.filter(pl.col("z").abs() > FAR).height
    chance = proportion(chance_of(outside, own.height))
    yield Paragraph(
        parts=(
            f"Of {count(own.height)} tests with Satterthwaite's degrees of freedom {count(outside)} "
            f"{'lies' if outside == 1 else 'lie'} more than two Monte-Carlo standard errors from .05; "
            f"{number(beyond_two(own.height), 1)} would by chance (so many or more with probability {chance}, if the "
            f"tests were independent). {_named_tests(found.type_i)}",
        )
    )


def _named_tests(frame: pl.DataFrame) -> str:
    beyond = frame.filter("beyond").to_dicts()
    if not beyond:
        return "Held together (Holm), none departs from .05."
    methods = {"satterthwaite": "Satterthwaite", "kenward-roger": "Kenward–Roger"}
    named = [
        f"{row['study']} with {counted(row['dyads'], 'dyad')}, Model {row['model']}, "
        f"{term_names(row['study'])[row['term']]} ({methods[row['df']]})"
        for row in beyond
    ]
    return f"Held together (Holm), these depart from .05: {'; '.join(named)}."


def _kind(found: Certificate, task: Task) -> Iterator[Block]:
    own = (pl.col("study") == task.study) & (pl.col("dyads") == task.dyads)
    rows, fits = found.recovery.filter(own & TOLD_ONCE), found.fits.filter(own)
    for model, (version, words) in SHOWN_FITS.items():
        this = (pl.col("version") == version) & (pl.col("model") == model)
        caption = f"{_title(task)}: Model {model}, {words}"
        yield recovery_table(rows.filter(this), key=f"{task.study}-{task.dyads}-model-{model}", caption=caption)
        yield Paragraph(
            parts=(f"{_fit_words(fits.filter(this).row(0, named=True))} {_chance_words(rows.filter(this))}",)
        )
    yield from _reasons(found, task, rows)


def _fit_words(fit: dict[str, Any]) -> str:
    said = f"{count(fit['replicates'])} studies with {count(fit['mean_rows'])} outcomes on average"
    said += f"; {count(fit['failed'])} without an answer" if fit["failed"] else ""
    said += f"; {counted(fit['singular'], 'fit')} on the boundary"
    return said + (f"; {count(fit['not_converged'])} not certified." if fit["not_converged"] else ", all certified.")


def _chance_words(rows: pl.DataFrame) -> str:
    """How many numbers are far from perfect, by part, against what chance would do."""
    said = []
    for part, words in (("fixed", "the fixed effects"), ("variance", "the variances")):
        own = rows.filter(pl.col("part") == part)
        z = [value for name in JUDGED for value in own[f"{name}_z"].drop_nulls().to_list()]
        outside = sum(abs(value) > FAR for value in z)
        chance = number(beyond_two(len(z)), 1)
        said.append(f"{count(outside)} of {count(len(z))} numbers of {words} ({chance} would by chance)")
        if part == "fixed" and outside > beyond_two(len(z)):
            more = f"so many or more with probability {proportion(chance_of(outside, len(z)))} if they were independent"
            said[0] = f"{said[0][:-1]}, {more}, which model SE and coverage of one effect are not)"
    return f"More than two Monte-Carlo standard errors away lie {' and '.join(said)}."


def _reasons(found: Certificate, task: Task, rows: pl.DataFrame) -> Iterator[Block]:
    reasons = set(rows["reason"])
    if "boundary" in reasons:
        yield Paragraph(heading="Why variances are off.", parts=tuple(_boundary(found, task, rows)))
    if "large_sample" in reasons:
        yield Paragraph(
            heading="Intervals of variances.",
            parts=(
                "Standard errors and intervals of variances are Wald's, from the observed information: large-sample "
                "approximations, as in SPSS. Profile intervals (dl.confidence_intervals) do not rest on them.",
            ),
        )
    names = term_names(task.study)
    for row in rows.filter(pl.col("reason") == "unexplained").iter_rows(named=True):
        what = listed([WORDS[name] for name in row["beyond"].split(", ")])
        words = f"Model {row['model']}, {names[row['term']]}: {what} beyond chance."
        yield Paragraph(heading="Not explained.", parts=(words,))


def _boundary(found: Certificate, task: Task, rows: pl.DataFrame) -> Iterator[Part]:
    own = {row["term"]: row for row in rows.filter(pl.col("model") == 3).iter_rows(named=True)}
    intercepts, covariance, slopes = (
        own[term] for term in ("variance of intercepts", "covariance", "variance of slopes")
    )
    near = [r for r in (intercepts, slopes) if r["true_value"] < NEAR_ZERO * r["empirical_se"]]
    for row in near:
        yield f"The {row['term']} that made the outcome, {row['true_value']:g}, lies "
        yield Cell(value=row["true_value"] / row["empirical_se"], decimals=1)
        yield " standard deviations of its estimates from zero, and "
    yield "the correlation of intercepts and slopes is "
    correlation = covariance["true_value"] / (intercepts["true_value"] * slopes["true_value"]) ** 0.5
    yield Cell(value=correlation, kind="proportion")
    yield ". Variances cannot be negative nor correlations exceed 1. In many draws the best fit without these limits "
    yield "would lie beyond them, and ends on them instead; what is held back on one side only is off on average, and "
    yield "parameters that are estimated together share it. Wald's standard errors and intervals know of no limits. "
    yield "What the standard errors of effects rest on, a variance and its share of the residual variance, comes out a "
    yield "little too large on the whole, so that tests of effects are cautious rather than liberal."
    larger = next((t for t in found.tasks if t.larger and t.study == task.study and not task.larger), None)
    if larger is None:
        return
    there = found.recovery.filter(
        (pl.col("study") == task.study) & (pl.col("dyads") == larger.dyads) & (pl.col("version") == "drawn")
    )
    for row in near:
        after = there.filter(pl.col("term") == row["term"]).row(0, named=True)
        yield f" With {counted(larger.dyads, 'dyad')} the bias of the {row['term']} is "
        yield Cell(value=after["bias"], decimals=5)
        yield " instead of "
        yield Cell(value=row["bias"], decimals=5)
        yield "."


def _formulas() -> Iterator[Block]:
    yield Paragraph(
        parts=(
            "With n estimates of a parameter and their standard errors: bias is the mean estimate minus the true "
            "value, with the Monte-Carlo standard error SD/√n; SD is the estimates' standard deviation, with "
            "SD/√(2(n − 1)). Model SE is the root of the mean squared standard error; its error is in per cent of SD, "
            "with 100 (Model SE/SD) √(var(SE²)/(4n Model SE⁴) + 1/(2(n − 1))). Coverage c is the share of 95% "
            "intervals with the true value in them, with √(c(1 − c)/n). Formulas: Morris, White and Crowther (2019), "
            "Statistics in Medicine 38, 2074–2102; the second and third take estimates to be normal.",
        )
    )
    yield Paragraph(
        parts=(
            "Beyond chance means: p < .05 after Holm's adjustment, of t tests (bias), normal tests (model SE) and "
            "exact binomial tests (coverage, type I error). All numbers of one kind of study are one family, and all "
            "tests of type I error another; of families in which all is as it should be, at most one in twenty has a "
            "number that is called beyond chance. The command ends with exit status 1 if a number is, without a reason "
            "that is known (a variance next to its limits, large-sample intervals of variances), or if a draw has no "
            "answer.",
        )
    )
