"""Files as laboratories lay them out: the plan that is proposed for each."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from dyadline.data.recognise import recognise
from dyadline.data.table import Declared, Table
from dyadline.plan.analysis import AnalysisPlan
from dyadline.plan.columns import ItemsSection
from dyadline.plan.document import parse_plan, plan_text
from dyadline.workflow import first_plan
from simulated_study import (
    AGE,
    BDI,
    CODE,
    CORE,
    DYADS,
    HAQ_P,
    HAQ_T,
    INSTRUMENTS,
    LABEL,
    N_SESSIONS,
    PHQ,
    PRE,
    RNG,
    SCL,
    SESSION,
    SESSIONS,
    THERAPIST,
    WAI5_P,
    WAI5_T,
    WAI_P,
    WAI_T,
    WAISR_P,
    WAISR_T,
    grid,
    items,
    long,
    mean,
    over,
    total,
    wide,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What is to stand in the plan; a measure as (name, items, range)."""

    layout: str = "long"
    columns: dict[str, Any] = field(default_factory=dict)
    time: dict[str, Any] = field(default_factory=dict)
    raters: dict[str, Any] | None = None
    checks: dict[str, Any] = field(default_factory=dict)
    missing: dict[str, Any] = field(default_factory=dict)
    dyads: dict[str, Any] | None = None
    open: tuple[str, ...] = ()
    said: tuple[str, ...] = ()


Layout = tuple[Table, Table | None, Expected]
LAYOUTS: dict[str, Callable[[], Layout]] = {}


def layout(build: Callable[[], Layout]) -> Callable[[], Layout]:
    LAYOUTS[build.__name__] = build
    return build


def long_items(p: Callable[[int], str], t: Callable[[int], str], wai: tuple[np.ndarray, np.ndarray]) -> dict[str, Any]:
    return {**items(wai[0], p), **items(wai[1], t)}


WAI = (WAI_P, WAI_T)
WAISR = (WAISR_P, WAISR_T)
S = {"rating_range": (1, 7), "outcome_range": (0, 63)}


@layout
def english_items() -> Layout:
    frame = long({
        "dyad": LABEL, "therapist": THERAPIST, "session": SESSION,
        **long_items(lambda n: f"wai_p_{n}", lambda n: f"wai_t_{n}", WAI),
        **items(BDI, lambda n: f"bdi{n}"), "bdi_pre": PRE,
    })  # fmt: skip
    return Table(frame=frame), None, Expected(
        columns={
            "dyad": "dyad", "therapist": "therapist", "time": "session",
            "patient_rating": ("wai-s", "wai_p_{item}", None), "therapist_rating": ("wai-s", "wai_t_{item}", None),
            "outcome": ("bdi-ii", "bdi{item}", None), "baseline": "bdi_pre",
        },
        checks=S, said=("items 4 and 10 run against the others", "wai-sr"),
    )  # fmt: skip


@layout
def padded_capital_items() -> Layout:
    frame = long({
        "ID": CODE, "SESSION": SESSION,
        **long_items(lambda n: f"WAIp{n:02d}", lambda n: f"WAIt{n:02d}", WAISR), **items(PHQ, lambda n: f"PHQ9_{n}"),
    })  # fmt: skip
    return Table(frame=frame), None, Expected(
        columns={
            "dyad": "ID", "therapist": None, "time": "SESSION",
            "patient_rating": ("wai-sr", "WAIp{item}", (1, 7)), "therapist_rating": ("wai-sr", "WAIt{item}", (1, 7)),
            "outcome": ("phq-9", "PHQ9_{item}", None), "baseline": "first",
        },
        checks={"rating_range": (1, 7), "outcome_range": (0, 27)}, said=("no item runs against the others",),
    )  # fmt: skip


@layout
def items_marked_i() -> Layout:
    frame = long({
        "client_id": CODE, "week": SESSION,
        **long_items(lambda n: f"waisr_c_i{n}", lambda n: f"waisr_t_i{n}", (WAI5_P, WAI5_T)),
        **items(CORE, lambda n: f"core10_{n}"),
    })  # fmt: skip
    return Table(frame=frame), None, Expected(
        columns={
            "dyad": "client_id", "time": "week", "patient_rating": ("wai-sr", "waisr_c_i{item}", None),
            "therapist_rating": ("wai-sr", "waisr_t_i{item}", None), "outcome": ("core-10", "core10_{item}", None),
        },
        checks={"rating_range": (1, 5), "outcome_range": (0, 40)},
    )  # fmt: skip


@layout
def scl_and_gsi() -> Layout:
    frame = long({
        "PatNr": LABEL, "TherNr": THERAPIST, "Sitzung": SESSION, "WAI_P": mean(WAI_P), "WAI_T": mean(WAI_T),
        **items(SCL, lambda n: f"scl_{n}"), "gsi": mean(SCL),
    })  # fmt: skip
    return Table(frame=frame), None, Expected(
        columns={
            "dyad": "PatNr", "therapist": "TherNr", "time": "Sitzung", "patient_rating": "WAI_P",
            "therapist_rating": "WAI_T", "outcome": ("scl-90-r", "scl_{item}", None),
        },
        checks={"outcome_range": (0, 4)},
    )  # fmt: skip


@layout
def german_totals() -> Layout:
    frame = long({
        "Patientencode": CODE, "Therapeut": THERAPIST, "Sitzung": SESSION, "patient_wai": mean(WAI_P),
        "therapeut_wai": mean(WAI_T), "BDI": total(BDI), "BDI_prä": PRE, "Anzahl_Sitzungen": N_SESSIONS,
    }).rename({"Patientencode": "Patient_Code"})  # fmt: skip
    return Table(frame=frame), None, Expected(
        columns={
            "dyad": "Patient_Code", "therapist": "Therapeut", "time": "Sitzung", "patient_rating": "patient_wai",
            "therapist_rating": "therapeut_wai", "outcome": "BDI", "baseline": "BDI_prä",
        },
        checks={"outcome_range": (0, 63), "sessions": "Anzahl_Sitzungen"},
    )  # fmt: skip


@layout
def norwegian_totals() -> Layout:
    frame = long({
        "pasient": LABEL, "terapeut": THERAPIST, "sesjon": SESSION, "wai_pasient": mean(WAI_P),
        "wai_terapeut": mean(WAI_T), "symptomer": total(PHQ), "alder": AGE, "antall_timer": N_SESSIONS,
        "årsak": np.where(LABEL % 3 == 0, "flyttet", "ferdig"),
    })  # fmt: skip
    return Table(frame=frame), None, Expected(
        columns={
            "dyad": "pasient", "therapist": "terapeut", "time": "sesjon", "patient_rating": "wai_pasient",
            "therapist_rating": "wai_terapeut", "outcome": "symptomer", "baseline": "first",
        },
        checks={"sessions": "antall_timer", "reason": "årsak"},
    )  # fmt: skip


@layout
def camel_case() -> Layout:
    frame = long({
        "patientId": LABEL, "therapistId": THERAPIST, "sessionNumber": SESSION, "waiPatient": mean(WAI_P),
        "waiTherapist": mean(WAI_T), "phq9Total": total(PHQ), "phq9Intake": PRE,
    })  # fmt: skip
    return Table(frame=frame), None, Expected(
        columns={
            "dyad": "patientId", "therapist": "therapistId", "time": "sessionNumber", "patient_rating": "waiPatient",
            "therapist_rating": "waiTherapist", "outcome": "phq9Total", "baseline": "phq9Intake",
        },
    )  # fmt: skip


@layout
def item_family_of_unknown_measure() -> Layout:
    frame = long({
        "dyad": LABEL, "session": SESSION, **long_items(lambda n: f"haq_p_{n}", lambda n: f"haq_t_{n}", (HAQ_P, HAQ_T)),
        "bdi": total(BDI),
    })  # fmt: skip
    return Table(frame=frame), None, Expected(
        columns={
            "patient_rating": ("<measure>", "haq_p_{item}", None), "outcome": "bdi",
            "therapist_rating": ("<measure>", "haq_t_{item}", None),
        },
        open=("measure of patient_rating", "measure of therapist_rating"), said=("MEASURE.toml",),
    )  # fmt: skip


@layout
def item_family_of_unknown_measure_with_totals() -> Layout:
    frame = long({
        "dyad": LABEL, "session": SESSION, **long_items(lambda n: f"haq_p_{n}", lambda n: f"haq_t_{n}", (HAQ_P, HAQ_T)),
        "haq_p_sum": total(HAQ_P), "haq_t_sum": total(HAQ_T), "bdi": total(BDI),
    })  # fmt: skip
    return Table(frame=frame), None, Expected(columns={"patient_rating": "haq_p_sum", "therapist_rating": "haq_t_sum"})


@layout
def question_beside_the_scale() -> Layout:
    nine = items(PHQ, lambda n: f"phq_{n}")
    frame = long({"dyad": LABEL, "session": SESSION, "wai_p": mean(WAI_P), "wai_t": mean(WAI_T), **nine,
                  "phq_10": PHQ[:, :, 0]})  # fmt: skip
    return (
        Table(frame=frame),
        None,
        Expected(columns={"outcome": ("phq-9", tuple(nine), None)}, said=("phq-9 has 9 items",)),
    )


@layout
def wide_session_then_item() -> Layout:
    frame = wide({
        "id": CODE, "ther": THERAPIST, "age": AGE,
        **grid(WAI_P, lambda s, i: f"wai_p_s{s}_i{i}"), **grid(WAI_T, lambda s, i: f"wai_t_s{s}_i{i}"),
        **over(total(BDI), lambda s: f"bdi_s{s}"), "bdi_pre": PRE,
    })  # fmt: skip
    return Table(frame=frame), None, Expected(
        layout="wide",
        columns={
            "dyad": "id", "therapist": "ther", "time": "session", "baseline": "bdi_pre", "outcome": "bdi_s{time}",
            "patient_rating": ("wai-s", "wai_p_s{time}_i{item}", None),
            "therapist_rating": ("wai-s", "wai_t_s{time}_i{item}", None),
        },
        checks=S,
    )  # fmt: skip


@layout
def wide_item_then_session() -> Layout:
    frame = wide({
        "case": LABEL, **grid(WAISR_P, lambda s, i: f"wai_p_i{i}_s{s}"),
        **grid(WAISR_T, lambda s, i: f"wai_t_i{i}_s{s}"),
        **over(total(PHQ), lambda s: f"phq9_s{s}"),
    })  # fmt: skip
    return Table(frame=frame), None, Expected(
        layout="wide",
        columns={
            "dyad": "case", "time": "session", "outcome": "phq9_s{time}",
            "patient_rating": ("wai-sr", "wai_p_i{item}_s{time}", (1, 7)),
            "therapist_rating": ("wai-sr", "wai_t_i{item}_s{time}", (1, 7)),
        },
    )  # fmt: skip


@layout
def wide_totals_by_number() -> Layout:
    frame = wide({
        "couple": LABEL, **over(mean(WAI_P), lambda s: f"wai_p_{s}"), **over(mean(WAI_T), lambda s: f"wai_t_{s}"),
        **over(total(BDI), lambda s: f"bdi_{s}"),
    })  # fmt: skip
    return Table(frame=frame), None, Expected(
        layout="wide",
        columns={
            "dyad": "couple", "time": "occasion", "outcome": "bdi_{time}", "patient_rating": "wai_p_{time}",
            "therapist_rating": "wai_t_{time}",
        },
    )  # fmt: skip


@layout
def wide_whole_numbers_that_are_occasions() -> Layout:
    """PHQ-9 totals at six sessions are small whole numbers; the ratings' numbers say that they are occasions."""
    small = np.minimum(total(PHQ), 9)
    frame = wide({
        "id": LABEL, **over(mean(WAI_P), lambda s: f"wai_p_{s}"), **over(mean(WAI_T), lambda s: f"wai_t_{s}"),
        **over(small, lambda s: f"phq9_{s}"),
    })  # fmt: skip
    return Table(frame=frame), None, Expected(layout="wide", columns={"outcome": "phq9_{time}"})


@layout
def wide_spss_eight_characters() -> Layout:
    frame = wide({
        "PATID": CODE, **grid(WAI_P, lambda s, i: f"WAIPS{s}I{i}"), **grid(WAI_T, lambda s, i: f"WAITS{s}I{i}"),
        **over(total(BDI), lambda s: f"BDIS{s}"), "BDIPRE": PRE, "NSESS": N_SESSIONS,
    })  # fmt: skip
    return Table(frame=frame), None, Expected(
        layout="wide",
        columns={
            "dyad": "PATID", "time": "session", "outcome": "BDIS{time}", "baseline": "BDIPRE",
            "patient_rating": ("wai-s", "WAIPS{time}I{item}", None),
            "therapist_rating": ("wai-s", "WAITS{time}I{item}", None),
        },
        checks={**S, "sessions": "NSESS"},
    )  # fmt: skip


@layout
def wide_t0_t1_t2() -> Layout:
    at = (0, 1, 2)
    frame = wide({
        "ID": LABEL, **over(mean(WAI_P), lambda s: f"WAI_P_T{s}", at), **over(mean(WAI_T), lambda s: f"WAI_T_T{s}", at),
        **over(total(BDI), lambda s: f"BDI_T{s}", at),
    })  # fmt: skip
    return Table(frame=frame), None, Expected(
        layout="wide",
        columns={
            "time": "occasion", "outcome": "BDI_T{time}", "patient_rating": "WAI_P_T{time}",
            "therapist_rating": "WAI_T_T{time}", "baseline": "first",
        },
    )  # fmt: skip


@layout
def wide_occasion_first() -> Layout:
    frame = wide({
        "Klient": LABEL, "Behandler": THERAPIST, **grid(WAI_P[:, :3], lambda s, i: f"t{s}_wai_k_{i}"),
        **grid(WAI_T[:, :3], lambda s, i: f"t{s}_wai_b_{i}"), **grid(BDI[:, :3], lambda s, i: f"t{s}_bdi_{i}"),
    })  # fmt: skip
    return Table(frame=frame), None, Expected(
        layout="wide",
        columns={
            "dyad": "Klient", "therapist": "Behandler", "time": "occasion",
            "patient_rating": ("wai-s", "t{time}_wai_k_{item}", None),
            "therapist_rating": ("wai-s", "t{time}_wai_b_{item}", None),
            "outcome": ("bdi-ii", "t{time}_bdi_{item}", None),
        },
    )  # fmt: skip


@layout
def wide_pre_mid_post() -> Layout:
    at = ("pre", "mid", "post", "fu1", "fu2")
    frame = wide({
        "pid": LABEL, **over(mean(WAI_P), lambda s: f"wai_p_{s}", at), **over(mean(WAI_T), lambda s: f"wai_t_{s}", at),
        **over(total(BDI), lambda s: f"bdi_{s}", at),
    })  # fmt: skip
    return Table(frame=frame), None, Expected(
        layout="wide", time={"occasions": at},
        columns={
            "time": "occasion", "outcome": "bdi_{time}", "patient_rating": "wai_p_{time}",
            "therapist_rating": "wai_t_{time}", "baseline": "first",
        },
    )  # fmt: skip


@layout
def wide_sessions_and_t2() -> Layout:
    at, rated = (1, 3, 12, 20, "T2"), (3, 12, 20)
    frame = wide({
        "dyad": LABEL, "therapist": THERAPIST, **over(mean(WAI_P), lambda s: f"wai_p_{s}", rated),
        **over(mean(WAI_T), lambda s: f"wai_t_{s}", rated), **over(mean(SCL), lambda s: f"gsi_{s}", at),
        "gsi_pre": mean(SCL)[:, 0],
    })  # fmt: skip
    return Table(frame=frame), None, Expected(
        layout="wide", time={"occasions": at}, said=("stand behind the numbered sessions",),
        columns={"outcome": "gsi_{time}", "patient_rating": "wai_p_{time}", "baseline": "gsi_pre"},
    )  # fmt: skip


@layout
def wide_german_sitzung() -> Layout:
    frame = wide({
        "Fall": LABEL, **over(mean(WAI_P), lambda s: f"patient_wai_Sitzung{s}"),
        **over(mean(WAI_T), lambda s: f"therapeut_wai_Sitzung{s}"), **over(total(BDI), lambda s: f"BDI_Sitzung{s}"),
    })  # fmt: skip
    return Table(frame=frame), None, Expected(
        layout="wide",
        columns={
            "dyad": "Fall", "time": "session", "outcome": "BDI_Sitzung{time}",
            "patient_rating": "patient_wai_Sitzung{time}", "therapist_rating": "therapeut_wai_Sitzung{time}",
        },
    )  # fmt: skip


@layout
def wide_camel_case_with_dates() -> Layout:
    days = [[date(2020, 1, 6) + timedelta(days=int(n) + 7 * s) for n in LABEL] for s in range(SESSIONS)]
    frame = wide({
        "ClientID": CODE, **over(mean(WAI_P), lambda s: f"waiClientSession{s}"),
        **over(mean(WAI_T), lambda s: f"waiTherapistSession{s}"), **over(total(PHQ), lambda s: f"phq9Session{s}"),
    }).with_columns(pl.Series(f"dateSession{s + 1}", day) for s, day in enumerate(days))  # fmt: skip
    return Table(frame=frame), None, Expected(
        layout="wide", checks={"date": "dateSession{time}"},
        columns={"patient_rating": "waiClientSession{time}", "outcome": "phq9Session{time}"},
    )  # fmt: skip


@layout
def wide_two_numbers_without_words() -> Layout:
    """Six sessions and twelve items: the place that counts to twelve is the item."""
    frame = wide({
        "id": LABEL, **grid(WAI_P, lambda s, i: f"wai_p_{s}_{i}"), **grid(WAI_T, lambda s, i: f"wai_t_{s}_{i}"),
        **over(total(BDI), lambda s: f"bdi_{s}"),
    })  # fmt: skip
    return Table(frame=frame), None, Expected(
        layout="wide",
        columns={"patient_rating": ("wai-s", "wai_p_{time}_{item}", None), "outcome": "bdi_{time}"},
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
        checks=S, said=("99 stands", "-9 stands"),
    )  # fmt: skip


@layout
def declared_codes() -> Layout:
    frame = long({"id": LABEL, "session": SESSION, "wai_p": mean(WAI_P), "wai_t": mean(WAI_T),
                  "bdi": holes(total(BDI), 99)})  # fmt: skip
    return Table(
        frame=frame, declared={"bdi": Declared(codes=(99.0,), ranges=((97.0, 98.0),))},
        value_labels={"bdi": {99.0: "not filled in"}},
    ), None, Expected(columns={"outcome": "bdi"}, said=("99 and 97 to 98 (99 is 'not filled in')",))  # fmt: skip


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
def wide_session_glued_to_the_rater() -> Layout:
    frame = wide({
        "ID": LABEL, **grid(WAI_P, lambda s, i: f"waip{s}_{i}"), **grid(WAI_T, lambda s, i: f"wait{s}_{i}"),
        **over(total(BDI), lambda s: f"bdi{s}"),
    })  # fmt: skip
    return Table(frame=frame), None, Expected(
        layout="wide",
        columns={
            "patient_rating": ("wai-s", "waip{time}_{item}", None), "outcome": "bdi{time}",
            "therapist_rating": ("wai-s", "wait{time}_{item}", None),
        },
    )  # fmt: skip


@layout
def wide_padded_session_first() -> Layout:
    frame = wide({
        "VPCODE": CODE, **grid(WAISR_P, lambda s, i: f"S{s:02d}_WAIP{i:02d}"),
        **grid(WAISR_T, lambda s, i: f"S{s:02d}_WAIT{i:02d}"), **grid(PHQ, lambda s, i: f"S{s:02d}_PHQ{i:02d}"),
    })  # fmt: skip
    return Table(frame=frame), None, Expected(
        layout="wide",
        columns={
            "dyad": "VPCODE", "time": "session", "patient_rating": ("wai-sr", "S{time}_WAIP{item}", (1, 7)),
            "outcome": ("phq-9", "S{time}_PHQ{item}", None),
        },
    )  # fmt: skip


@layout
def wide_norwegian_tidspunkt() -> Layout:
    frame = wide({
        "pasientnr": LABEL, "behandler": THERAPIST, **over(mean(WAI_P), lambda s: f"wai_pasient_tidspunkt{s}"),
        **over(mean(WAI_T), lambda s: f"wai_terapeut_tidspunkt{s}"),
        **over(total(BDI), lambda s: f"depresjon_tidspunkt{s}"),
    }).rename({"pasientnr": "pasient_nr"})  # fmt: skip
    return Table(frame=frame), None, Expected(
        layout="wide",
        columns={
            "dyad": "pasient_nr", "therapist": "behandler", "time": "occasion",
            "patient_rating": "wai_pasient_tidspunkt{time}", "therapist_rating": "wai_terapeut_tidspunkt{time}",
            "outcome": "depresjon_tidspunkt{time}",
        },
    )  # fmt: skip


@layout
def wide_glued_pre_and_post() -> Layout:
    at = ("PRE", "POST", "FU")
    frame = wide({
        "ID": LABEL, **over(mean(WAI_P), lambda s: f"WAIP{s}", at), **over(mean(WAI_T), lambda s: f"WAIT{s}", at),
        **over(total(BDI), lambda s: f"BDI{s}", at),
    })  # fmt: skip
    return Table(frame=frame), None, Expected(
        layout="wide", time={"occasions": at},
        columns={"patient_rating": "WAIP{time}", "therapist_rating": "WAIT{time}", "outcome": "BDI{time}"},
    )  # fmt: skip


@layout
def wide_pt_and_th_over_waves() -> Layout:
    frame = wide({
        "subject_id": LABEL, **over(mean(WAI_P), lambda s: f"wave{s}_wai_pt"),
        **over(mean(WAI_T), lambda s: f"wave{s}_wai_th"), **over(mean(CORE), lambda s: f"wave{s}_core10"),
    })  # fmt: skip
    return Table(frame=frame), None, Expected(
        layout="wide",
        columns={
            "time": "wave", "patient_rating": "wave{time}_wai_pt", "therapist_rating": "wave{time}_wai_th",
            "outcome": "wave{time}_core10",
        },
    )  # fmt: skip


@layout
def wide_sessions_with_pre_and_post() -> Layout:
    """A value before treatment beside numbered sessions is the baseline; one after them is an occasion."""
    at = (1, 2, 3, 4, 5, 6)
    frame = wide({
        "dyad": LABEL, **over(mean(WAI_P), lambda s: f"wai_p_{s}", at), **over(mean(WAI_T), lambda s: f"wai_t_{s}", at),
        **over(total(BDI), lambda s: f"bdi_{s}", at), "bdi_pre": PRE, "bdi_post": total(BDI)[:, 0],
    })  # fmt: skip
    return Table(frame=frame), None, Expected(
        layout="wide", time={"occasions": (*at, "post")}, columns={"outcome": "bdi_{time}", "baseline": "bdi_pre"}
    )  # fmt: skip


@layout
def wide_labels_tell_the_places() -> Layout:
    """Both numbers run from 1 to 6; only the labels say which is the item."""
    p, t = HAQ_P[:, :, :6], HAQ_T[:, :, :6]
    columns = {**grid(p, lambda s, i: f"wp{s}_{i}"), **grid(t, lambda s, i: f"wt{s}_{i}")}
    labels = {f"w{who}{s}_{i}": f"HAQ {side} session {s} item {i}" for s in range(1, 7) for i in range(1, 7)
              for who, side in (("p", "patient"), ("t", "therapist"))}  # fmt: skip
    frame = wide({"id": LABEL, **columns, **over(total(BDI), lambda s: f"bdi_{s}")})
    return Table(frame=frame, labels=labels), None, Expected(
        layout="wide",
        columns={
            "patient_rating": ("<measure>", "wp{time}_{item}", None),
            "therapist_rating": ("<measure>", "wt{time}_{item}", None), "outcome": "bdi_{time}",
        },
        open=("measure of patient_rating",),
    )  # fmt: skip


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


def plan_of(build: Callable[[], Layout]) -> tuple[AnalysisPlan, str, Layout, Any]:
    table, dyads, expected = build()
    found = recognise(table, instruments=INSTRUMENTS, dyads=dyads)
    plan = first_plan(found, "study.csv", None if dyads is None else "dyads.csv")
    return plan, plan_text(plan, found.comments), (table, dyads, expected), found


def as_measure(value: object) -> object:
    return (value.measure, value.items, value.range) if isinstance(value, ItemsSection) else value


@pytest.mark.parametrize("name", LAYOUTS)
def test_layout(name: str) -> None:
    plan, text, (table, dyads, expected), found = plan_of(LAYOUTS[name])
    assert parse_plan(text) == plan
    assert all(len(line) <= 120 for line in text.split("\n") if line.startswith("#"))
    assert found.layout == expected.layout
    assert {role: as_measure(getattr(plan.columns, role)) for role in expected.columns} == expected.columns
    assert plan.raters == (None if expected.raters is None else type(plan.raters)(**expected.raters))
    assert plan.time.model_dump(exclude_defaults=True) == expected.time
    assert {key: getattr(plan.checks, key) for key in expected.checks} == expected.checks
    assert plan.missing.model_dump(exclude_defaults=True) == expected.missing
    assert (plan.dyads.model_dump(exclude_none=True) if plan.dyads else None) == expected.dyads
    assert set(expected.open) <= set(found.missing)
    assert bool(found.missing) == bool(expected.open) or expected.open
    comments = " ".join(line.strip("# ") for line in text.split("\n") if line.startswith("#"))
    for words in expected.said:
        assert words in comments
    names = [*table.frame.columns, *(dyads.frame.columns if dyads else ())]
    for role in ("patient_rating", "therapist_rating", "outcome", "baseline"):
        held = getattr(plan.columns, role)
        if not (isinstance(held, str) and (held == "first" or held.startswith("<"))):
            check_columns_exist(held, names, plan)


def check_columns_exist(held: str | ItemsSection, names: list[str], plan: AnalysisPlan) -> None:
    """Each pattern fits columns, each occasion has the same items, and all of a measure's are there."""
    asked = held.items if isinstance(held, ItemsSection) else held
    time = "|".join(re.escape(f"{o:g}" if isinstance(o, float) else o) for o in plan.time.occasions or ()) or r"\d+"
    fitting: list[tuple[str, str]] = []
    for pattern in (asked,) if isinstance(asked, str) else asked:
        expression = re.escape(pattern).replace(r"\{time\}", f"(?P<time>{time})").replace(r"\{item\}", r"(?P<item>\d+)")
        here = [m.groupdict() for name in names if (m := re.fullmatch(expression, name))]
        assert here, pattern
        fitting += [(m.get("time", ""), m.get("item", pattern)) for m in here]
    by_time: dict[str, set[str]] = {}
    for occasion, item in fitting:
        by_time.setdefault(occasion, set()).add(item)
    assert len({frozenset(each) for each in by_time.values()}) == 1
    if "{time}" in str(asked):
        assert len(by_time) >= 3
    known = {i.name: i.items for i in INSTRUMENTS}
    if isinstance(held, ItemsSection) and held.measure in known:
        assert all(len(each) == known[held.measure] for each in by_time.values())
