"""One thread for linear algebra: the matrices are tiny, and threads that wait for each other on a busy machine cost minutes."""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
