"""Does every frame end in a result or in a sentence? 10,000 of them: nonsense of all types, and spoilt studies.

``make certify``, or ``python benchmarks/certify_frames.py [frames [first]]``. Each frame goes through ``make_dataset``;
accepted ones are scored, and every eighth of them is run to the last table. Exit status 1 if anything but an explained
refusal was raised, a message is no bearable sentence, or a frame took longer than a minute.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import frame_judge

FRAMES, BATCH, PROCESSES = 10_000, 100, 2


def main(frames: int = FRAMES, first: int = 0) -> int:
    began = time.perf_counter()
    outcomes: Counter[str] = Counter()
    bad: list[str] = []
    slowest = (0.0, 0)
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        batches = [range(start, min(start + BATCH, first + frames)) for start in range(first, first + frames, BATCH)]
        for judged in pool.map(frame_judge.judge_all, batches):
            for judgement in judged:
                outcomes[judgement.outcome] += 1
                slowest = max(slowest, (judgement.seconds, judgement.seed))
                if judgement.bad:
                    bad.append(f"frame {judgement.seed}: {judgement.bad}")
    for outcome, number in outcomes.most_common():
        print(f"{number:7,}  {outcome}")
    print(f"{frames:,} frames in {time.perf_counter() - began:.0f} s; the slowest, {slowest[1]}, {slowest[0]:.1f} s")
    for line in bad[:50]:
        print(line)
    print(f"{len(bad)} bad ends")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
