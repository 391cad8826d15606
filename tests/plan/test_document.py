"""Plans: TOML in and out, every mistake at once with its line, and the schema."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dyadline.errors import PlanError
from dyadline.plan.analysis import AnalysisPlan
from dyadline.plan.columns import MODEL_COLUMNS
from dyadline.plan.document import PlanMistakes, key_lines, make_plan, parse_plan, plan_schema, plan_text, read_plan

STUDY = """\
version = 1
title = "Study 1"
[data]
file = "sessions.csv"
[columns]
dyad = "dyad"
therapist = "therapist"
time = "session"
patient_rating = "wai_p"
therapist_rating = "wai_t"
outcome = "bdi"
baseline = "bdi_pre"
covariates = []
[time]
origin = "first"
scale = 1.0
[convergence]
growth = "multilevel"
discrepancy = "absolute"
slope = "rate"
unit = "window"
transform = "log_shift"
early_level = "curve"
early_discrepancy = "signed"
rating_window = "all"
outcome_window = "all"
[models]
run = [1, 2, 3]
levels = 2
method = "REML"
df = "satterthwaite"
criteria = "spss"
"""
COLUMNS = {"dyad": "d", "time": "s", "patient_rating": "p", "therapist_rating": "q", "outcome": "o"}


def mistakes(text: str) -> dict[str, tuple[int | None, str]]:
    with pytest.raises(PlanMistakes) as caught:
        parse_plan(text)
    return {m.path: (m.line, f"{m.message} {m.hint}") for m in caught.value.mistakes}


def test_the_full_plan_is_the_default_one() -> None:
    plan = parse_plan(STUDY)
    assert plan.columns.baseline == "bdi_pre"
    assert (plan.time, plan.convergence, plan.models) == (
        (bare := make_plan({"columns": COLUMNS})).time,
        bare.convergence,
        bare.models,
    )
    assert bare.data is None
    assert bare.data_path is None
    assert bare.columns.baseline == "first"


def test_read_plan_knows_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_bytes(b"\xef\xbb\xbf" + STUDY.replace("\n", "\r\n").encode())
    plan = read_plan(path)
    assert plan == parse_plan(STUDY).in_folder(tmp_path)
    assert plan.data_path == tmp_path / "sessions.csv"
    assert "folder" not in str(plan.model_dump())


def test_missing_file_has_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(STUDY)
    with pytest.raises(PlanError, match=r"no plan 'stduy.toml'.*Did you mean 'study.toml'"):
        read_plan(tmp_path / "stduy.toml")
    with pytest.raises(PlanError, match="no folder"):
        read_plan(tmp_path / "no" / "study.toml")
    with pytest.raises(PlanError, match="cannot be read"):
        read_plan(tmp_path)
    (tmp_path / "latin.toml").write_bytes("title = 'größer'".encode("latin-1"))
    with pytest.raises(PlanError, match="UTF-8"):
        read_plan(tmp_path / "latin.toml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("version = 1\n[columns]\ndyad = id\n", "line 3"),
        ("version = 1\nversion = 1\n", "twice"),
        ("[columns]\ndyad = 'a'\n[columns]\n", "twice"),
        ("dyad;time;wai\n1;1;5\n", "line 1"),
        ("x = " + "[" * 5000, "plan"),
        ("x = " + "9" * 5000, "plan"),
    ],
)
def test_not_toml_is_one_sentence(text: str, words: str) -> None:
    with pytest.raises(PlanError, match=words) as caught:
        parse_plan(text)
    assert "\n" not in str(caught.value)


def test_a_data_file_in_place_of_the_plan_is_not_quoted() -> None:
    with pytest.raises(PlanError, match="a data file is not a plan") as caught:
        parse_plan("Maria Huber;1;5\nMaria Huber;2;6\n")
    assert "Huber" not in str(caught.value)


def test_all_mistakes_at_once() -> None:
    text = """\
version = 2
titel = "Study"
growth = "ols"
[data]
file = 3
[columns]
dyad = "d"
patient_rating = "p"
therapist_rating = "p"
outcome = ""
covariates = ["a", "development", "d"]
[time]
origin = "frist"
scale = 0
[convergence]
title = \"\"\"
growth = "in a text"
\"\"\"
growth = "olss"
rating_window = [20, 3]
outcome_window = [1]
transform = true
models.df = 1
[models]
run = [1, 1]
criteria = "SPSS"
"""
    found = mistakes(text)
    expected = {
        "version": (1, "found 2; allowed is 1"),
        "titel": (2, "Did you mean 'title'"),
        "growth": (3, "'growth' belongs in [convergence]"),
        "data.file": (5, "found 3; allowed is a text in quotes"),
        "columns.time": (6, "missing"),
        "columns.therapist_rating": (9, "the column 'p' already is 'patient_rating'"),
        "columns.outcome": (10, "empty"),
        "columns.covariates": (11, "the column 'd' already is 'dyad'"),
        "time.origin": (13, 'found "frist"; allowed is "first" or a number Did you mean \'first\''),
        "time.scale": (14, "greater than 0"),
        "convergence.title": (16, "'title' stands before the first section"),
        "convergence.growth": (19, "Did you mean 'ols'"),
        "convergence.rating_window": (20, "from < to"),
        "convergence.outcome_window": (21, "[from, to] with two numbers"),
        "convergence.transform": (22, 'found true; allowed is "log_shift", "none"'),
        "convergence.models": (23, "Known here"),
        "models.run": (25, "once"),
        "models.criteria": (26, "Did you mean 'spss'"),
    }
    assert {path: line for path, (line, _) in found.items()} == {path: line for path, (line, _) in expected.items()}
    for path, (_, words) in expected.items():
        assert words in found[path][1], path
    with pytest.raises(PlanMistakes) as caught:
        parse_plan(text, name="study.toml")
    lines = str(caught.value).split("\n")
    assert lines[0] == "study.toml has 18 mistakes:"
    assert len(lines) == 19
    assert lines[1].startswith("  line 1, version: found 2")
    assert [m.line for m in caught.value.mistakes] == sorted(m.line or 0 for m in caught.value.mistakes)


def test_one_mistake_is_one_line() -> None:
    with pytest.raises(PlanMistakes) as caught:
        parse_plan(STUDY.replace('"multilevel"', '"multilevle"'), name="study.toml")
    assert str(caught.value) == (
        'study.toml, line 18, convergence.growth: found "multilevle"; allowed is "multilevel", "ols", "dyadic" or '
        "\"observed\". Did you mean 'multilevel'?"
    )


@pytest.mark.parametrize(
    ("section", "content", "path"),
    [
        ("version", True, "version"),
        ("version", 1.0, "version"),
        ("version", "1", "version"),
        ("models", {"run": []}, "models.run"),
        ("models", {"run": [True]}, "models.run"),
        ("models", {"run": [4]}, "models.run"),
        ("models", {"run": 1}, "models.run"),
        ("models", 3, "models"),
        ("time", {"origin": True}, "time.origin"),
        ("time", {"scale": float("inf")}, "time.scale"),
        ("time", {"scale": "2"}, "time.scale"),
        ("time", {"scale": -1}, "time.scale"),
        ("convergence", {"rating_window": [3, 3]}, "convergence.rating_window"),
        ("convergence", {"rating_window": [1, float("nan")]}, "convergence.rating_window"),
        ("convergence", {"outcome_window": ["a", "b"]}, "convergence.outcome_window"),
        ("convergence", {"growth": "observed"}, "convergence.early_level"),
        ("data", {}, "data.file"),
        ("data", "x.csv", "data"),
        ("folder", "/", "folder"),
        ("_folder", "/", "_folder"),
    ],
)
def test_mistakes_without_a_text_have_no_line(section: str, content: object, path: str) -> None:
    with pytest.raises(PlanMistakes) as caught:
        make_plan({"columns": COLUMNS, section: content})
    assert [(m.path, m.line) for m in caught.value.mistakes] == [(path, None)]


def test_observed_ratings_have_no_curve() -> None:
    choices = {"growth": "observed", "early_level": "first_rating", "early_discrepancy": "curve"}
    with pytest.raises(PlanMistakes, match=r'early_discrepancy: "curve" needs a curve.*"absolute" or "none"'):
        make_plan({"columns": COLUMNS, "convergence": choices})
    make_plan({"columns": COLUMNS, "convergence": choices | {"early_discrepancy": "none"}})


@pytest.mark.parametrize("role", ["therapist", "time", "patient_rating", "outcome", "baseline"])
def test_a_column_has_one_role(role: str) -> None:
    with pytest.raises(PlanMistakes, match=r"already is .dyad."):
        make_plan({"columns": COLUMNS | {role: "d"}})


def test_covariates() -> None:
    assert make_plan({"columns": COLUMNS | {"covariates": ["x y", "first"]}}).columns.covariates == ("x y", "first")
    for wrong in (["x", "x"], ["o"], ["baseline"], [""], [3], "x"):
        with pytest.raises(PlanMistakes, match=r"columns\.covariates"):
            make_plan({"columns": COLUMNS | {"covariates": wrong}})


@pytest.mark.parametrize("levels", [3, '"auto"'])
def test_three_levels_need_a_column_of_therapists(levels: object) -> None:
    text = STUDY.replace("levels = 2", f"levels = {levels}")
    assert parse_plan(text).models.levels == (3 if levels == 3 else "auto")
    found = mistakes(text.replace('therapist = "therapist"\n', "# none\n"))
    assert found["models.levels"][0] == 29
    assert "name their column as therapist in [columns]" in found["models.levels"][1]


def test_wrong_levels_in_words() -> None:
    for value in ("4", "2.0", "true", '"atuo"'):
        (line, words) = mistakes(STUDY.replace("levels = 2", f"levels = {value}"))["models.levels"]
        assert line == 29
        assert f'found {value}; allowed is 2, 3 or "auto"' in words
    assert "Did you mean 'auto'" in words
    slopes = STUDY.replace("levels = 2", "levels = {}\ntherapist_slopes = {}")
    assert 'need levels = 3 or "auto"' in mistakes(slopes.format(2, "true"))["models.therapist_slopes"][1]
    assert "allowed is true or false" in mistakes(slopes.format(3, "1"))["models.therapist_slopes"][1]
    assert parse_plan(slopes.format(3, "true")).models.therapist_slopes


def test_a_written_plan_explains_the_levels() -> None:
    two = plan_text(parse_plan(STUDY))
    assert 'levels = 2                         # 2 (session, dyad), 3 (and therapist) or "auto" (3 if' in two
    assert "therapist_slopes" not in two
    auto = plan_text(parse_plan(STUDY.replace("levels = 2", 'levels = "auto"\ntherapist_slopes = true')))
    assert 'levels = "auto"                    # or 2 | 3\n' in auto
    assert "therapist_slopes = true            # Whether the change over time varies over therapists too" in auto


def test_the_null_distribution_is_offered_until_it_is_asked_for() -> None:
    asked = STUDY.replace("[convergence]", "[convergence]\nnull = {}")
    text = plan_text(parse_plan(STUDY))
    assert "# null = 1000                      # Studies without convergence to simulate" in text
    assert parse_plan(text.replace("# null = 1000", "null = 1000")).convergence.null == 1000
    assert "\nnull = 400                         # Studies" in plan_text(parse_plan(asked.format(400)))
    for value, said in ((99, "write 100 or more, or 0"), (-1, "0"), ("true", "whole number"), ("1e3", "whole number")):
        assert said in mistakes(asked.format(value))["convergence.null"][1]
    assert parse_plan(asked.format(0)) == parse_plan(STUDY)


def test_key_lines() -> None:
    text = (
        'a.b = 1\n"c d" = """\nx = 1 \\""" \ny = 2\n""" # z\n[ e . "f.g" ]\n'
        "h = ''' # '''\n"
        "'i' = [\n  'j = 1',\n]\nk = { l = 1 }\n"
        '"\\U0001F600" = 1\n'
    )
    tomllib.loads(text)
    assert key_lines(text) == {
        ("a",): 1, ("a", "b"): 1, ("c d",): 2, ("e",): 6, ("e", "f.g"): 6, ("e", "f.g", "h"): 7,
        ("e", "f.g", "i"): 8, ("e", "f.g", "k"): 11, ("e", "f.g", "\U0001f600"): 12,
    }  # fmt: skip


names = st.text(min_size=1, max_size=12).filter(lambda name: name not in {"first", *MODEL_COLUMNS})
numbers = st.floats(allow_nan=False, allow_infinity=False)
windows = st.just("all") | st.lists(numbers, min_size=2, max_size=2, unique=True).map(sorted)


@st.composite
def plans(draw: st.DrawFn) -> AnalysisPlan:
    """Any valid plan."""
    used = draw(st.lists(names, min_size=7, max_size=10, unique=True))
    roles = ["dyad", "time", "patient_rating", "therapist_rating", "outcome"]
    columns: dict[str, object] = {**dict(zip(roles, used, strict=False)), "covariates": used[7:]}
    columns |= draw(st.sampled_from([{}, {"therapist": used[5]}, {"baseline": used[6]}, {"baseline": "first"}]))
    convergence: dict[str, object] = {"rating_window": draw(windows), "outcome_window": draw(windows)}
    schema = plan_schema()["$defs"]
    for key, field in schema["ConvergenceSection"]["properties"].items():
        if "enum" in field:
            convergence[key] = draw(st.sampled_from(field["enum"]))
    if convergence["growth"] == "observed":
        convergence |= {"early_level": "first_rating", "early_discrepancy": "none"}
    models: dict[str, object] = {"run": draw(st.permutations([1, 2, 3]))[: draw(st.integers(1, 3))]}
    for key, field in schema["ModelsSection"]["properties"].items():
        if "enum" in field:
            models[key] = draw(st.sampled_from(field["enum"]))
    if "therapist" not in columns:
        models["levels"] = 2
    models["therapist_slopes"] = models["levels"] != 2 and draw(st.booleans())
    if models["method"] == "ML" and models["df"] == "kenward-roger":
        models["df"] = "satterthwaite"
    scale = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
    content = {
        "title": draw(st.text()),
        "columns": columns,
        "time": {"origin": draw(st.just("first") | numbers), "scale": draw(scale)},
        "convergence": convergence,
        "models": models,
    }
    return make_plan(content | draw(st.just({}) | names.map(lambda file: {"data": {"file": file}})))


@settings(max_examples=200, deadline=None)
@given(plans())
def test_a_written_plan_reads_as_the_same_plan(plan: AnalysisPlan) -> None:
    assert parse_plan(plan_text(plan)) == plan


@settings(deadline=None)
@given(st.text() | st.text(alphabet="abc=[]\"'.#\n 1{},"))
def test_any_text_is_a_plan_or_a_plan_error(text: str) -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan(text)
    assert str(caught.value)


def test_written_plan_names_the_alternatives() -> None:
    text = plan_text(parse_plan(STUDY))
    assert 'growth = "multilevel"              # or ols | dyadic | observed\n' in text
    assert 'criteria = "spss"                  # or lme4 | nlme | sas\n' in text
    keys = set(key_lines(STUDY)) | {("models", "missing_predictors")}
    assert set(key_lines(text)) == keys
    assert max(len(line) for line in text.split("\n")) <= 120


def test_schema_says_what_every_key_means() -> None:
    schema = plan_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"] == "dyadline analysis plan"
    assert schema["required"] == ["columns"]
    for section in [schema, *schema["$defs"].values()]:
        assert section["additionalProperties"] is False
        for key, field in section["properties"].items():
            described = schema["$defs"][field["$ref"].split("/")[-1]] if "$ref" in field else field
            assert described["description"], key
    growth = schema["$defs"]["ConvergenceSection"]["properties"]["growth"]
    assert growth["enum"] == ["multilevel", "ols", "dyadic", "observed"]
    assert growth["default"] == "multilevel"


def test_kenward_roger_needs_reml() -> None:
    asked = STUDY.replace('df = "satterthwaite"', 'df = "kenward-roger"')
    assert parse_plan(asked).models.df == "kenward-roger"
    found = mistakes(asked.replace('method = "REML"', 'method = "ML"'))
    assert "needs method" in found["models.df"][1]


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("[report.decimals]\np = 1\n", "report.decimals.p", "found 1; it must be at least 2"),
        ("[report.decimals]\ndf = 11\n", "report.decimals.df", "found 11; it must be at most 10"),
        ("[report.decimals]\nestimates = 2\n", "report.decimals.estimates", "Did you mean 'estimate'?"),
        ("[report]\ndecimals = 3\n", "report.decimals", "a section with the keys estimate"),
        ('[report]\nformats = "html"\n', "report.formats", 'found "html"; write ["html"]'),
        ('[report]\nformats = ["pdf", "doc"]\n', "report.formats", "Did you mean 'docx'?"),
        ("[sensitivity]\nmost_sessions = 0\n", "sensitivity.most_sessions", "found 0; it must be at least 1"),
    ],
)
def test_mistakes_of_report_and_sensitivity_say_what_is_allowed(text: str, path: str, words: str) -> None:
    found = mistakes(f"{STUDY}{text}")
    assert list(found) == [path]
    assert words in found[path][1]
