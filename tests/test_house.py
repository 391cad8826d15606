"""The house rules that a machine can check."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dyadline

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "src" / "dyadline").rglob("*.py"))


def code_of(command: str) -> str:
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT / "src").as_posix())
def test_a_module_is_a_noun_of_bearable_size_that_says_what_it_is(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 400
    assert not re.search(r"(^|_)(utils?|helpers?|common|misc)(_|$)", path.stem)
    assert not lines or ast.get_docstring(ast.parse("\n".join(lines)))


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT / "src").as_posix())
def test_nothing_is_evaluated_and_nothing_swallowed(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    caught = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("eval", "exec", "compile")
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None
            named = {name.id for name in ast.walk(node.type) if isinstance(name, ast.Name)}
            assert "BaseException" not in named
            caught += "Exception" in named
        if isinstance(node, ast.ImportFrom):
            assert all(alias.name != "*" for alias in node.names)
    # A replicate that fails is a value: the one place where any exception may be caught.
    assert caught == (path.relative_to(ROOT / "src" / "dyadline").as_posix() == "parallel/outcome.py")


def test_every_public_name_is_there_and_stays_itself():
    for name in dyadline.__all__:
        assert getattr(dyadline, name) is not None
    # A sub-package of the same name would take the function's place once it is imported.
    rooms = {p.name for p in (ROOT / "src" / "dyadline").iterdir() if p.is_dir()}
    assert not rooms & set(dyadline.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'fitt'"):
        dyadline.fitt  # noqa: B018


def test_importing_the_package_imports_nothing_heavy():
    loaded = json.loads(code_of("import dyadline, sys, json; print(json.dumps(sorted(sys.modules)))"))
    heavy = {"numpy", "scipy", "polars", "pydantic", "narwhals", "rich", "typer", "vl_convert", "jinja2"}
    assert not heavy & set(loaded)


def test_help_and_fits_import_only_what_they_need():
    loaded = json.loads(code_of("import dyadline.cli.app, sys, json; print(json.dumps(sorted(sys.modules)))"))
    assert not {"numpy", "polars", "pydantic", "scipy"} & set(loaded)
    fitting = "import dyadline as dl, sys, json; dl.fit; dl.coefficients; print(json.dumps(sorted(sys.modules)))"
    assert not {"scipy.stats", "pandas", "pydantic", "vl_convert"} & set(json.loads(code_of(fitting)))


def test_documents_name_no_host_of_an_index():
    for path in ROOT.glob("requirements*.lock"):
        assert "://" not in path.read_text(encoding="utf-8")


def test_the_plan_of_the_house_lists_every_file():
    plan = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = {row[1]: row[2] for row in re.finditer(r"^\| `([a-z/]+)/` \| (.*) \|$", plan, re.MULTILINE)}
    for path in MODULES:
        room = path.parent.relative_to(ROOT / "src" / "dyadline").as_posix()
        if room != "." and path.stem != "__init__":
            assert f"`{path.stem}`" in rows[room], path
