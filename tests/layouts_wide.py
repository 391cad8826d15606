"""Files with one row per dyad, as laboratories lay them out."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from dyadline.data.table import Table
from layouts import Expected, Layout, layout
from simulated_study import (
    AGE,
    BDI,
    CODE,
    CORE,
    HAQ_P,
    HAQ_T,
    LABEL,
    N_SESSIONS,
    PHQ,
    PRE,
    SCL,
    SESSIONS,
    THERAPIST,
    WAI_P,
    WAI_T,
    WAISR_P,
    WAISR_T,
    grid,
    mean,
    over,
    total,
    wide,
)  # fmt: skip

S = {"rating_range": (1, 7), "outcome_range": (0, 63)}


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
