"""What is proposed for real files: the roles that their descriptions name, and nothing that is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from dyadline.data.read import read_frame
from dyadline.data.recognition.recognise import recognise
from dyadline.data.table import Table
from dyadline.plan.document import parse_plan, plan_text
from dyadline.workflow import first_plan
from simulated_study import INSTRUMENTS

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SYMPTOMS = {"patient_rating": None, "therapist_rating": None}
EXPECTED: dict[str, dict[str, object]] = {
    "beat_the_blues": {"dyad": "subject", "time": "time", "outcome": "bdi", "baseline": "bdi_pre", **SYMPTOMS},
    "enrichd_bdi": {"dyad": "id", "time": "day", "outcome": "bdi", "baseline": None, **SYMPTOMS},
    "riesby_depression": {"dyad": "id", "time": "week", "outcome": "hamd", **SYMPTOMS},
    "unemployment_depression": {"dyad": "id", "time": "interview", "outcome": "depression", **SYMPTOMS},
    "fireworks_parent_child": {
        "dyad": "child", "time": "occasion", "patient_rating": "parent_ptsd", "therapist_rating": "child_ptsd",
        "outcome": None,
    },
    "gad_alliance_sessions": {
        "dyad": "patient", "therapist": "therapist", "time": "session", "outcome": "bai_mean", **SYMPTOMS
    },
    "marital_quality": {
        "dyad": "couple", "time": "wave", "patient_rating": "husband_quality", "therapist_rating": "wife_quality",
        "outcome": None,
    },
    "kashy_diary": {"dyad": "dyadid", "patient_rating": "conflict_A", "therapist_rating": "conflict_P"},
    "mea_patient_therapist": {"dyad": "dyad", "patient_rating": "patient", "therapist_rating": "therapist"},
    "wai_patient_therapist": {
        "dyad": None, "time": None, "patient_rating": "patient_wai", "therapist_rating": "therapist_wai"
    },
}  # fmt: skip


@pytest.mark.parametrize("name", EXPECTED)
def test_real_file(name: str) -> None:
    path = DATA / f"{name}.csv"
    if not path.exists():
        pytest.skip("the public data sets are not beside the repository")
    found = recognise(Table(frame=read_frame(path), source=path.name), instruments=INSTRUMENTS)
    assert {role: found[role].column for role in EXPECTED[name]} == EXPECTED[name]
    assert found.scored == {}
    assert len(set(found.columns.values())) == len(found.columns) and found.layout == "long"
    assert "missing" not in found.sections
    plan = first_plan(found, path.name)
    assert parse_plan(plan_text(plan, found.comments)) == plan
    ranges = {"wai_patient_therapist": {"rating_range": [12, 84]}, "beat_the_blues": {"outcome_range": [0, 63]}}
    if name in ranges:
        assert found.sections["checks"] == ranges[name]


def test_no_column_of_any_other_real_file_is_taken_twice() -> None:
    files = sorted(path for path in DATA.glob("*.csv") if path.stem not in EXPECTED)
    if not files:
        pytest.skip("the public data sets are not beside the repository")
    for path in files:
        found = recognise(Table(frame=read_frame(path), source=path.name), instruments=INSTRUMENTS)
        assert len(set(found.columns.values())) == len(found.columns)
        assert found.layout == "long"
