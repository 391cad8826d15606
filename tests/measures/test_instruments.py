"""Every instrument's key, typed from the publications, and scores worked out by hand."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from importlib.resources import files

import polars as pl
import pytest

from dyadline.measures.measure import Measure
from dyadline.measures.registry import measure, measures
from dyadline.measures.scoring import Scored, bands, scale_scores, turned

SCL = {
    "somatization": [1, 4, 12, 27, 40, 42, 48, 49, 52, 53, 56, 58],
    "obsessive-compulsive": [3, 9, 10, 28, 38, 45, 46, 51, 55, 65],
    "interpersonal-sensitivity": [6, 21, 34, 36, 37, 41, 61, 69, 73],
    "depression": [5, 14, 15, 20, 22, 26, 29, 30, 31, 32, 54, 71, 79],
    "anxiety": [2, 17, 23, 33, 39, 57, 72, 78, 80, 86],
    "hostility": [11, 24, 63, 67, 74, 81],
    "phobic-anxiety": [13, 25, 47, 50, 70, 75, 82],
    "paranoid-ideation": [8, 18, 43, 68, 76, 83],
    "psychoticism": [7, 16, 35, 62, 77, 84, 85, 87, 88, 90],
}
SCL_ADDITIONAL = [19, 44, 59, 60, 64, 66, 89]


@dataclass(frozen=True, kw_only=True)
class Known:
    """What publications say, one record of answers without a middle one, and its scores by hand."""

    items: int
    range: tuple[float, float]
    higher: str
    reverse: list[int] = field(default_factory=list)
    scales: dict[str, list[int] | None]
    needed: dict[str, int]
    answers: list[int]
    scores: dict[str, float]
    band: dict[str, str] = field(default_factory=dict)


KNOWN = {
    "wai-s": Known(
        items=12, range=(1, 7), higher="better", reverse=[4, 10],
        scales={"total": None, "task": [1, 2, 8, 12], "bond": [3, 5, 7, 9], "goal": [4, 6, 10, 11]},
        needed={"total": 10, "task": 4, "bond": 4, "goal": 4},
        answers=[1, 2, 3, 5, 6, 7, 1, 2, 3, 5, 6, 7],
        # Items 4 and 10 count 8 − 5 = 3. Task 1+2+2+7 = 12, bond 3+6+1+3 = 13, goal 3+7+3+6 = 19, all 44.
        scores={"total": 44 / 12, "task": 3, "bond": 3.25, "goal": 4.75},
    ),
    "wai-sr": Known(
        items=12, range=(1, 5), higher="better",
        scales={"total": None, "task": [1, 2, 10, 12], "bond": [3, 5, 7, 9], "goal": [4, 6, 8, 11]},
        needed={"total": 10, "task": 4, "bond": 4, "goal": 4},
        answers=[1, 2, 4, 5, 1, 2, 4, 5, 1, 2, 4, 5],
        # Task 1+2+2+5 = 10, bond 4+1+4+1 = 10, goal 5+2+5+4 = 16, all 36.
        scores={"total": 3, "task": 2.5, "bond": 2.5, "goal": 4},
    ),
    "bdi-ii": Known(
        items=21, range=(0, 3), higher="worse", scales={"total": None}, needed={"total": 17},
        answers=[0, 1, 2, 3] * 5 + [2], scores={"total": 32}, band={"total": "severe"},
    ),
    "scl-90-r": Known(
        items=90, range=(0, 4), higher="worse", scales={"gsi": None, **SCL},
        needed={"gsi": 72, "somatization": 10, "obsessive-compulsive": 8, "interpersonal-sensitivity": 8,
                "depression": 11, "anxiety": 8, "hostility": 5, "phobic-anxiety": 6, "paranoid-ideation": 5,
                "psychoticism": 8},
        answers=[(0, 1, 3, 4)[number % 4] for number in range(1, 91)],
        # 22 rounds of 1+3+4+0 = 176, item 89 is 1, item 90 is 3: 180. The additional items hold 12 of it.
        scores={"gsi": 2, "somatization": 13 / 12, "obsessive-compulsive": 2.4, "interpersonal-sensitivity": 12 / 9,
                "depression": 33 / 13, "anxiety": 2, "hostility": 16 / 6, "phobic-anxiety": 19 / 7,
                "paranoid-ideation": 11 / 6, "psychoticism": 2},
    ),
    "phq-9": Known(
        items=9, range=(0, 3), higher="worse", scales={"total": None}, needed={"total": 8},
        answers=[0, 1, 2, 3, 0, 1, 2, 3, 1], scores={"total": 13}, band={"total": "moderate"},
    ),
    "gad-7": Known(
        items=7, range=(0, 3), higher="worse", scales={"total": None}, needed={"total": 6},
        answers=[3, 2, 1, 0, 3, 2, 1], scores={"total": 12}, band={"total": "moderate"},
    ),
    "phq-4": Known(
        items=4, range=(0, 3), higher="worse", scales={"total": None, "anxiety": [1, 2], "depression": [3, 4]},
        needed={"total": 4, "anxiety": 2, "depression": 2},
        answers=[3, 1, 0, 2], scores={"total": 6, "anxiety": 4, "depression": 2}, band={"total": "moderate"},
    ),
    "core-10": Known(
        items=10, range=(0, 4), higher="worse", reverse=[2, 3], scales={"total": None}, needed={"total": 9},
        # Item 2 counts 4, item 3 counts 0: 1+4+0+3+1+0+4+3+1+4.
        answers=[1, 0, 4, 3, 1, 0, 4, 3, 1, 4], scores={"total": 21}, band={"total": "moderate to severe"},
    ),
    "core-om": Known(
        items=34, range=(0, 4), higher="worse", reverse=[3, 4, 7, 12, 19, 21, 31, 32],
        scales={
            "total": None, "wellbeing": [4, 14, 17, 31],
            "problems": [2, 5, 8, 11, 13, 15, 18, 20, 23, 27, 28, 30],
            "functioning": [1, 3, 7, 10, 12, 19, 21, 25, 26, 29, 32, 33],
            "risk": [6, 9, 16, 22, 24, 34],
            "non-risk": [n for n in range(1, 35) if n not in (6, 9, 16, 22, 24, 34)],
        },
        needed={"total": 31, "wellbeing": 4, "problems": 11, "functioning": 11, "risk": 6, "non-risk": 26},
        answers=[(0, 1, 3, 4)[number % 4] for number in range(1, 35)],
        # Raw sum 8·8 + 1 + 3 = 68; the turned items change it by −4+4−4+4−4+2−4+4 = −2.
        # Well-being 4+3+1+0, problems 27, functioning 21, risk 10: 66.
        scores={"total": 660 / 34, "wellbeing": 20, "problems": 22.5, "functioning": 17.5, "risk": 100 / 6,
                "non-risk": 20},
    ),
    "who-5": Known(
        items=5, range=(0, 5), higher="better", scales={"total": None}, needed={"total": 4},
        answers=[5, 4, 3, 1, 0], scores={"total": 52},
    ),
    "k10": Known(
        items=10, range=(1, 5), higher="worse", scales={"total": None}, needed={"total": 9},
        answers=[1, 2, 4, 5, 1, 2, 4, 5, 1, 2], scores={"total": 27}, band={"total": "high"},
    ),
    "dass-21": Known(
        items=21, range=(0, 3), higher="worse",
        scales={"total": None, "depression": [3, 5, 10, 13, 16, 17, 21], "anxiety": [2, 4, 7, 9, 15, 19, 20],
                "stress": [1, 6, 8, 11, 12, 14, 18]},
        needed={"total": 17, "depression": 6, "anxiety": 6, "stress": 6},
        # Depression 2+0+1+0+3+0+1 = 7, anxiety 1+3+2+0+2+2+3 = 13, stress 0+1+3+2+3+1+1 = 11; each times two.
        answers=[0, 1, 2, 3] * 5 + [1], scores={"total": 62, "depression": 14, "anxiety": 26, "stress": 22},
        band={"depression": "moderate", "anxiety": "extremely severe", "stress": "moderate"},
    ),
    "pcl-5": Known(
        items=20, range=(0, 4), higher="worse",
        scales={"total": None, "intrusion": [1, 2, 3, 4, 5], "avoidance": [6, 7],
                "negative-alterations": [8, 9, 10, 11, 12, 13, 14], "arousal": [15, 16, 17, 18, 19, 20]},
        needed={"total": 16, "intrusion": 4, "avoidance": 2, "negative-alterations": 6, "arousal": 5},
        answers=[0, 1, 3, 4] * 5,
        scores={"total": 40, "intrusion": 8, "avoidance": 4, "negative-alterations": 13, "arousal": 15},
    ),
}  # fmt: skip

BANDS = {
    "bdi-ii": {"minimal": (0, 13), "mild": (14, 19), "moderate": (20, 28), "severe": (29, 63)},
    "phq-9": {
        "minimal": (0, 4), "mild": (5, 9), "moderate": (10, 14), "moderately severe": (15, 19), "severe": (20, 27),
    },
    "gad-7": {"minimal": (0, 4), "mild": (5, 9), "moderate": (10, 14), "severe": (15, 21)},
    "phq-4": {"none": (0, 2), "mild": (3, 5), "moderate": (6, 8), "severe": (9, 12)},
    "core-10": {
        "healthy": (0, 5), "low": (6, 10), "mild": (11, 14), "moderate": (15, 19), "moderate to severe": (20, 24),
        "severe": (25, 40),
    },
    "k10": {"low": (10, 15), "moderate": (16, 21), "high": (22, 29), "very high": (30, 50)},
}  # fmt: skip


def scores(key: Measure, answers: list[int | None], *, limits: tuple[float, float] | None = None) -> dict[str, float]:
    how = Scored(measure=key, scale=key.total, range=limits or key.range)
    held = turned({n: pl.Series([a], dtype=pl.Float64) for n, a in enumerate(answers, start=1)}, how)
    return scale_scores(held, key).row(0, named=True)


def test_no_instrument_is_left_without_a_key_to_compare():
    assert {m.name for m in measures()} == set(KNOWN)


@pytest.mark.parametrize("name", KNOWN)
def test_the_key_is_the_published_one(name):
    key, known = measure(name), KNOWN[name]
    assert (key.items, key.range, key.higher) == (known.items, known.range, known.higher)
    assert list(key.reverse) == known.reverse
    assert list(key.scales) == list(known.scales)
    for scale, items in known.scales.items():
        assert list(key.items_of(scale)) == (items or list(range(1, known.items + 1)))
        assert key.needed(scale) == known.needed[scale]


@pytest.mark.parametrize("name", KNOWN)
def test_scores_are_those_worked_out_by_hand(name):
    known = KNOWN[name]
    assert scores(measure(name), known.answers) == pytest.approx(known.scores, rel=1e-14)


@pytest.mark.parametrize("name", KNOWN)
def test_any_flipped_key_changes_the_score(name):
    key, known = measure(name), KNOWN[name]
    for item in range(1, known.items + 1):
        flipped = key.model_copy(update={"reverse": tuple(set(key.reverse) ^ {item})})
        found = scores(flipped, known.answers)
        changed = {scale for scale in found if found[scale] != pytest.approx(known.scores[scale], rel=1e-9)}
        assert changed == {scale for scale in key.scales if item in key.items_of(scale)}, item


@pytest.mark.parametrize("name", KNOWN)
def test_the_missing_rule_at_its_border(name):
    key, known = measure(name), KNOWN[name]
    for scale in key.scales:
        items, needed = key.items_of(scale), key.needed(scale)
        kept = [a if n + 1 in items[:needed] else None for n, a in enumerate(known.answers)]
        counted = [
            sum(key.range) - a if n in known.reverse else a
            for n, a in enumerate(known.answers, start=1) if n in items[:needed]
        ]  # fmt: skip
        times = {"mean": 1, "sum": len(items)}[key.scales[scale].score] * key.scales[scale].factor
        assert scores(key, kept)[scale] == pytest.approx(sum(counted) / needed * times, rel=1e-14)
        one_less = [a if n + 1 in items[: needed - 1] else None for n, a in enumerate(known.answers)]
        assert scores(key, one_less)[scale] is None


def test_missing_answers_by_hand():
    # 17 of 21 answered with 1: the four missing ones count 1 each. 16: no score.
    assert scores(measure("bdi-ii"), [1] * 17 + [None] * 4)["total"] == 21
    assert scores(measure("bdi-ii"), [1] * 16 + [None] * 5)["total"] is None
    # Ten of twelve answers, mean of ten; the bond scale lacks one of four.
    record = [1, 2, None, 5, 6, 7, 1, 2, 3, 5, 6, None]
    assert scores(measure("wai-s"), record) == {
        "total": pytest.approx((1 + 2 + 3 + 6 + 7 + 1 + 2 + 3 + 3 + 6) / 10), "task": None, "bond": None,
        "goal": pytest.approx(4.75),
    }  # fmt: skip
    # Four of five: 3 on average, times five, times four.
    assert scores(measure("who-5"), [3, 3, None, 3, 3])["total"] == 60
    assert scores(measure("gad-7"), [3, 3, 3, 0, 0, 0, None])["total"] == pytest.approx(1.5 * 7)


def test_reverse_keys_turn_within_the_range_in_use():
    # WAI-S answered from 1 to 5: items 4 and 10 become 6 − x.
    record = [5, 5, 5, 1, 5, 5, 5, 5, 5, 2, 5, 5]
    found = scores(measure("wai-s"), record, limits=(1, 5))
    assert found == pytest.approx({"total": (10 * 5 + 5 + 4) / 12, "task": 5, "bond": 5, "goal": (5 + 5 + 4 + 5) / 4})
    # CORE-10 answered from 1 to 5: items 2 and 3 become 6 − x.
    assert scores(measure("core-10"), [1, 5, 4, 1, 1, 1, 1, 1, 1, 1], limits=(1, 5))["total"] == 8 + 1 + 2


def test_the_scl_uses_each_item_once():
    used = sorted(item for items in SCL.values() for item in items) + SCL_ADDITIONAL
    assert sorted(used) == list(range(1, 91))


@pytest.mark.parametrize("name", BANDS)
def test_bands_are_the_published_ones(name):
    assert measure(name).scales["total"].bands == BANDS[name]


@pytest.mark.parametrize("name", KNOWN)
def test_the_score_worked_out_by_hand_is_in_its_band(name):
    key = measure(name)
    for scale, band in KNOWN[name].band.items():
        table = bands(key, pl.Series([KNOWN[name].scores[scale]]), scale)
        assert table.filter(pl.col("n") == 1)["band"].to_list() == [band]


def test_bands_of_the_dass():
    starts = {
        scale: [low for low, _ in measure("dass-21").scales[scale].bands.values()]
        for scale in ("depression", "anxiety", "stress")
    }
    assert starts == {
        "depression": [0, 10, 14, 21, 28], "anxiety": [0, 8, 10, 15, 20], "stress": [0, 15, 19, 26, 34],
    }  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_where_it_is_from_is_said_and_no_item_text_is_there(name):
    key = measure(name)
    assert key.title and key.citation and key.key_source and key.licence
    content = tomllib.loads((files("dyadline.measures") / "instruments" / f"{name}.toml").read_text(encoding="utf-8"))
    assert set(content) <= {
        "title", "forms", "items", "range", "reverse", "higher", "answered", "scales", "citation", "doi",
        "key_source", "licence",
    }  # fmt: skip
    for scale in content["scales"].values():
        assert set(scale) <= {"title", "items", "score", "factor", "answered", "bands"}
        assert all(len(band) <= 20 for band in scale.get("bands", {}))
        assert len(scale.get("title", "")) <= 60
    # Nowhere a list of texts that could be items.
    assert set(content.get("forms", [])) <= {"patient", "therapist"}
    assert not any(
        isinstance(value, list) and any(isinstance(part, str) for part in value)
        for key, value in content.items() if key != "forms"
    )  # fmt: skip


def test_both_forms_of_the_alliance_measures():
    for name in ("wai-s", "wai-sr"):
        assert measure(name).forms == ("patient", "therapist")
