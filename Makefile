# Two commands for everyone: `make demo` shows what it does, `make test` shows that it is right.
# Both set up a virtual environment in .venv from the pinned versions; python3 >= 3.11 is all they need.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
INSTALL = $(if $(UV),$(UV) pip install --quiet --python $(BIN)/python,$(BIN)/python -m pip install --quiet --disable-pip-version-check)

.PHONY: demo test check unit certify bench lock truth oracles clean

demo: $(VENV)/.ready
	$(BIN)/dyadline demo study1 --force

test: check unit

check: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: $(VENV)/.ready-dev
	$(BIN)/pytest

certify: $(VENV)/.ready-dev                ## 1,000 studies; 10,000 random designs, frames and damaged files; 2,000 seeds of each twin
	$(BIN)/python benchmarks/certify_optimum.py
	$(BIN)/python benchmarks/certify_designs.py
	$(BIN)/python benchmarks/certify_frames.py
	$(BIN)/python benchmarks/certify_files.py
	$(BIN)/dyadline certify --seeds 2000 --workers 2 --out docs/recovery.md --force
	$(BIN)/python benchmarks/imputation.py

bench: $(VENV)/.ready-bench                ## ratios against other programs, a million sessions, reports, power
	$(BIN)/python benchmarks/bench.py
	$(BIN)/python benchmarks/intake.py
	$(BIN)/python benchmarks/report.py
	$(BIN)/python benchmarks/power.py

truth: $(VENV)/.ready-dev                  ## every oracle, tolerance and largest deviation into the documentation
	$(BIN)/pytest --truth=docs/numerical_truth.md

oracles:                                   ## needs R with lme4, lmerTest, nlme, pbkrtest, clubSandwich, performance, psych, lavaan and mice
	for topic in oracles reliability three_level therapist_level residual dyadic_growth kenward_roger kenward_roger_edges robust profile questions bootstrap description pooling effects power; do Rscript tests/oracles/$$topic.R || exit 1; done

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "dyadline needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.ready: $(VENV)/bin/python requirements.lock pyproject.toml
	$(INSTALL) --require-hashes -r requirements.lock
	$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready requirements-dev.lock
	$(INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@

$(VENV)/.ready-bench: $(VENV)/.ready-dev requirements-bench.lock
	$(INSTALL) --require-hashes -r requirements-bench.lock
	@touch $@

lock:                                      ## needs uv; writes no address of any index
	printf 'hatchling\neditables\n' > build-requirements.txt
	$(UV) pip compile --quiet --no-header --generate-hashes --no-emit-index-url --no-annotate --universal --python-version 3.11 pyproject.toml build-requirements.txt -o requirements.lock
	$(UV) pip compile --quiet --no-header --generate-hashes --no-emit-index-url --no-annotate --universal --python-version 3.11 --extra dev -c requirements.lock pyproject.toml build-requirements.txt -o requirements-dev.lock
	$(UV) pip compile --quiet --no-header --generate-hashes --no-emit-index-url --no-annotate --universal --python-version 3.11 --extra dev --extra bench -c requirements-dev.lock pyproject.toml build-requirements.txt -o requirements-bench.lock
	rm build-requirements.txt

clean:
	rm -rf $(VENV) dyadline-demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
