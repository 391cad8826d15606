"""Files with rows of raters, dates, labels, codes for missing values, or a second file."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from dyadline.data.table import Declared, Table
from layouts import Expected, Layout, layout
from layouts_long import WAI, WAISR, S, long_items
from simulated_study import (
    AGE,
    BDI,
    CODE,
    DYADS,
    LABEL,
    N_SESSIONS,
    PRE,
    RNG,
    SESSION,
    SESSIONS,
    THERAPIST,
    WAI_P,
    WAI_T,
    WAISR_P,
    WAISR_T,
    items,
    long,
    mean,
    total,
    wide,
)  # fmt: skip


def by_rater(rater: tuple[object, object], wai: tuple[np.ndarray, np.ndarray]) -> dict[str, list[object]]:
    rows: dict[str, list[object]] = {"patient": [], "therapist_id": [], "session": [], "rater": [], "bdi": []}
    rows |= {f"wai{n}": [] for n in range(1, 13)}
    for d in range(DYADS):
        for s in range(SESSIONS):
            for who in (0, 1):
                values = (d + 1, int(THERAPIST[d]), s + 1, rater[who], None if who else int(total(BDI)[d, s]))
                for name, value in zip(rows, (*values, *map(int, wai[who][d, s])), strict=True):
                    rows[name].append(value)
    return rows


@layout
def rows_of_raters_in_words() -> Layout:
    return Table(frame=pl.DataFrame(by_rater(("client", "counsellor"), WAI))), None, Expected(
        layout="raters", raters={"column": "rater", "patient": "client", "therapist": "counsellor"},
        columns={
            "dyad": "patient", "therapist": "therapist_id", "time": "session", "outcome": "bdi",
            "patient_rating": ("wai-s", "wai{item}", None), "therapist_rating": ("wai-s", "wai{item}", None),
        },
        checks=S,
    )  # fmt: skip


@layout
def rows_of_raters_with_value_labels() -> Layout:
    frame = pl.DataFrame(by_rater((1.0, 2.0), WAI)).rename({"rater": "form_id"})
    return Table(frame=frame, value_labels={"form_id": {1.0: "Patient", 2.0: "Therapist"}}), None, Expected(
        layout="raters", raters={"column": "form_id", "patient": 1, "therapist": 2},
        columns={"patient_rating": ("wai-s", "wai{item}", None), "outcome": "bdi"},
    )  # fmt: skip


@layout
def rows_of_raters_that_nothing_tells_apart() -> Layout:
    return Table(frame=pl.DataFrame(by_rater((1, 2), WAI))), None, Expected(
        layout="raters",
        raters={
            "column": "rater", "patient": "<value in the patient's rows>",
            "therapist": "<value in the therapist's rows>",
        },
        open=("raters.patient", "raters.therapist"),
    )  # fmt: skip


def dates() -> np.ndarray:
    return np.array(
        [[date(2021, 3, 1) + timedelta(days=int(d) + 7 * s) for s in range(SESSIONS)] for d in range(DYADS)]
    )


PLAIN = {"wai_p": mean(WAI_P), "wai_t": mean(WAI_T), "bdi": total(BDI)}


@layout
def dates_and_no_session() -> Layout:
    return (
        Table(frame=long({"id": LABEL, "date": dates(), **PLAIN})),
        None,
        Expected(columns={"time": "date"}, time={"dates": "sessions"}, said=("weeks",)),
    )


@layout
def german_dates_beside_sessions() -> Layout:
    text = np.vectorize(lambda day: day.strftime("%d.%m.%Y"))(dates())
    ends = np.array([day.strftime("%d.%m.%Y") for day in dates()[:, -1]])
    frame = long({"id": LABEL, "Sitzung": SESSION, "Datum": text, "letztes_Datum": ends, **PLAIN})
    frame = frame.rename({"letztes_Datum": "Datum_letzte_Sitzung"})
    return (
        Table(frame=frame),
        None,
        Expected(columns={"time": "Sitzung"}, checks={"date": "Datum", "end": "Datum_letzte_Sitzung"}),
    )


@layout
def dates_that_could_be_either() -> Layout:
    days = np.array([[date(2021, 1 + s, 1 + d % 9) for s in range(SESSIONS)] for d in range(DYADS)])
    text = np.vectorize(lambda day: day.strftime("%m/%d/%Y"))(days)
    return (
        Table(frame=long({"id": LABEL, "visit_date": text, **PLAIN})),
        None,
        Expected(columns={"time": "visit_date"}, time={"dates": "sessions"}, said=("no date tells day from month",)),
    )


@layout
def text_occasions() -> Layout:
    at = ("pre", "mid", "post", "FU1", "FU2", "FU3")
    return (
        Table(frame=long({"id": LABEL, "timepoint": at, **PLAIN})),
        None,
        Expected(columns={"time": "timepoint"}, time={"occasions": at}),
    )


@layout
def text_occasions_and_sessions() -> Layout:
    at = ("1", "3", "12", "20", "T2", "FU")
    return (
        Table(frame=long({"id": LABEL, "occasion": at, **PLAIN})),
        None,
        Expected(columns={"time": "occasion"}, time={"occasions": (1, 3, 12, 20, "T2", "FU")}),
    )


@layout
def labels_tell_all() -> Layout:
    columns = {"v1": LABEL, "v2": THERAPIST, "v3": SESSION}
    labels = {"v1": "Patient ID", "v2": "Therapist number", "v3": "Session number"}
    number = 4
    for values, text in ((WAI_P, "Patient: WAI item {}"), (WAI_T, "Therapist: WAI item {}"), (BDI, "BDI item {}")):
        for n in range(values.shape[2]):
            columns[f"v{number}"], labels[f"v{number}"] = values[:, :, n], text.format(n + 1)
            number += 1
    frame = long(columns)
    return Table(frame=frame, labels=labels), None, Expected(
        columns={
            "dyad": "v1", "therapist": "v2", "time": "v3",
            "patient_rating": ("wai-s", tuple(f"v{n}" for n in range(4, 16)), None),
            "therapist_rating": ("wai-s", tuple(f"v{n}" for n in range(16, 28)), None),
            "outcome": ("bdi-ii", tuple(f"v{n}" for n in range(28, 49)), None),
        },
    )  # fmt: skip


@layout
def labels_tell_the_rater() -> Layout:
    """Names alike but for a letter that says nothing; the labels say who rates."""
    frame = long({"id": LABEL, "session": SESSION, "a1": mean(WAI_P), "a2": mean(WAI_T), "y1": total(BDI)})
    labels = {"a1": "WAI mean, patient", "a2": "WAI mean, therapist", "y1": "BDI total"}
    return (
        Table(frame=frame, labels=labels),
        None,
        Expected(columns={"patient_rating": "a1", "therapist_rating": "a2", "outcome": "y1"}),
    )


@layout
def labelled_answers_give_the_range() -> Layout:
    few = (np.minimum(WAISR_P, 5), np.minimum(WAISR_T, 5))
    columns = long_items(lambda n: f"waisr_p{n}", lambda n: f"waisr_t{n}", few)
    meant = {float(n): text for n, text in zip(range(1, 8), ["never", "b", "c", "d", "e", "f", "always"], strict=True)}
    frame = long({"id": LABEL, "session": SESSION, **columns, "bdi": total(BDI)})
    return (
        Table(frame=frame, value_labels=dict.fromkeys(columns, meant)),
        None,
        Expected(columns={"patient_rating": ("wai-sr", "waisr_p{item}", (1, 7))}, checks=S),
    )


@layout
def answers_from_one_instead_of_zero() -> Layout:
    frame = long({"id": LABEL, "session": SESSION, "wai_p": mean(WAI_P), "wai_t": mean(WAI_T),
                  **items(BDI + 1, lambda n: f"bdi_{n}")})  # fmt: skip
    return (
        Table(frame=frame),
        None,
        Expected(
            columns={"outcome": ("bdi-ii", "bdi_{item}", (1, 4))},
            checks={"outcome_range": (21, 84)},
            said=("Answers from 1",),
        ),
    )


def holes(values: np.ndarray, code: float, share: float = 0.05) -> np.ndarray:
    return np.where(RNG.random(values.shape) < share, code, values)


@layout
def undeclared_codes() -> Layout:
    frame = long({
        "id": LABEL, "session": SESSION,
        **long_items(lambda n: f"wai_p_{n}", lambda n: f"wai_t_{n}", (holes(WAI_P, 9), holes(WAI_T, 9))),
        "bdi": holes(total(BDI), 99), "bdi_pre": np.where(LABEL < 4, -9, PRE),
    })  # fmt: skip
    return Table(frame=frame), None, Expected(
        columns={"patient_rating": ("wai-s", "wai_p_{item}", None), "baseline": "bdi_pre"},
        missing={"by_column": {"wai_*": (9,), "bdi": (99,), "bdi_pre": (-9,)}},
        checks=S, said=("99 in 'bdi' (", "-9 in 'bdi_pre' ("),
    )  # fmt: skip


@layout
def declared_codes() -> Layout:
    frame = long({"id": LABEL, "session": SESSION, "wai_p": mean(WAI_P), "wai_t": mean(WAI_T),
                  "bdi": holes(total(BDI), 99)})  # fmt: skip
    return Table(
        frame=frame, declared={"bdi": Declared(codes=(99.0,), ranges=((97.0, 98.0),))},
        value_labels={"bdi": {99.0: "not filled in"}},
    ), None, Expected(
        columns={"outcome": "bdi"}, said=("99 (not filled in) in 'bdi'", "97 to 98 in 'bdi'"),
    )  # fmt: skip


@layout
def labelled_codes_and_text_codes() -> Layout:
    text = np.where(RNG.random((DYADS, SESSIONS)) < 0.1, "k.A.", total(BDI).astype(str))
    columns = long_items(lambda n: f"wai_p_{n}", lambda n: f"wai_t_{n}", (holes(WAI_P, 8), holes(WAI_T, 8)))
    frame = long({"id": LABEL, "session": SESSION, **columns, "bdi": text})
    meant = {8.0: "keine Angabe", 1.0: "nie", 7.0: "immer"}
    return Table(frame=frame, value_labels=dict.fromkeys(columns, meant)), None, Expected(
        columns={"patient_rating": ("wai-s", "wai_p_{item}", None), "outcome": "bdi"},
        missing={"by_column": {"wai_*": (8,), "bdi": ("k.A.",)}}, checks=S,
    )  # fmt: skip


@layout
def second_file() -> Layout:
    dyads = wide({"Code": CODE, "Therapeut": THERAPIST, "alter": AGE, "bdi_pre": PRE, "n_sessions": N_SESSIONS,
                  "abbruch_grund": np.where(LABEL % 2, "Umzug", "")})  # fmt: skip
    frame = long({"patient": CODE, "session": SESSION, **PLAIN})
    return Table(frame=frame), Table(frame=dyads), Expected(
        columns={"dyad": "patient", "therapist": "Therapeut", "baseline": "bdi_pre"},
        dyads={"file": "dyads.csv", "dyad": "Code"}, checks={"sessions": "n_sessions", "reason": "abbruch_grund"},
    )  # fmt: skip


@layout
def second_file_that_does_not_match() -> Layout:
    dyads = wide({"Code": np.array([f"X{n}" for n in LABEL]), "bdi_pre": PRE})
    return (
        Table(frame=long({"patient": CODE, "session": SESSION, **PLAIN})),
        Table(frame=dyads),
        Expected(
            columns={"baseline": "first"}, dyads={"file": "dyads.csv", "dyad": "<dyad column>"}, open=("dyads.dyad",)
        ),
    )


@layout
def items_asked_once_per_dyad() -> Layout:
    """One row per dyad and no occasions: nothing to analyse, and nothing is made up."""
    frame = wide({"id": LABEL, **{f"wai_p_{n + 1}": WAI_P[:, 0, n] for n in range(12)},
                  **{f"wai_t_{n + 1}": WAI_T[:, 0, n] for n in range(12)}})  # fmt: skip
    return Table(frame=frame), None, Expected(columns={"dyad": "<dyad column>", "time": "<time column>"},
                                              open=("dyad", "time", "outcome"))  # fmt: skip


@layout
def baseline_items() -> Layout:
    frame = long({"id": LABEL, "session": SESSION, **PLAIN,
                  **{f"bdi_pre_{n + 1}": BDI[:, 0, n] for n in range(21)}})  # fmt: skip
    return (
        Table(frame=frame),
        None,
        Expected(columns={"baseline": ("bdi-ii", "bdi_pre_{item}", None), "outcome": "bdi"}),
    )


@layout
def items_and_totals_side_by_side() -> Layout:
    frame = long({
        "dyad": LABEL, "session": SESSION, **long_items(lambda n: f"wai_p_{n}", lambda n: f"wai_t_{n}", WAI),
        "wai_p_total": mean(WAI_P), "wai_t_total": mean(WAI_T),
        **items(BDI, lambda n: f"bdi_{n}"), "bdi_sum": total(BDI),
    })  # fmt: skip
    return Table(frame=frame), None, Expected(
        columns={"patient_rating": ("wai-s", "wai_p_{item}", None), "outcome": ("bdi-ii", "bdi_{item}", None)},
        said=("'wai_p_total' would fit too", "'bdi_sum' would fit too"),
    )  # fmt: skip


@layout
def reversed_items_that_were_turned_already() -> Layout:
    columns = long_items(lambda n: f"wais_p_{n}", lambda n: f"wais_t_{n}", WAISR)
    return (
        Table(frame=long({"id": LABEL, "session": SESSION, **columns, "bdi": total(BDI)})),
        None,
        Expected(columns={"patient_rating": ("wai-s", "wais_p_{item}", None)}, said=("here run with the others",)),
    )


@layout
def one_rater_only() -> Layout:
    frame = long({"id": LABEL, "session": SESSION, "wai_patient": mean(WAI_P), "bdi": total(BDI)})
    return (
        Table(frame=frame),
        None,
        Expected(
            columns={"patient_rating": "wai_patient", "therapist_rating": "<therapist_rating column>"},
            open=("therapist_rating",),
        ),
    )
