"""Files with a row per dyad and session, as laboratories lay them out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

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
    SESSION,
    THERAPIST,
    WAI5_P,
    WAI5_T,
    WAI_P,
    WAI_T,
    WAISR_P,
    WAISR_T,
    items,
    long,
    mean,
    total,
)  # fmt: skip


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
