"""One thread for linear algebra: matrices are tiny, and on a busy machine threads that wait cost minutes."""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

from pathlib import Path  # noqa: E402

import pytest  # noqa: E402

import truth  # noqa: E402


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--truth", metavar="PAGE", help="write the measured deviations into this page")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    page = session.config.getoption("--truth")
    if page and exitstatus == 0:
        truth.write(Path(page))
