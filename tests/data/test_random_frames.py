"""Frames of any kind end in a result or in a sentence.

The full run, 10,000 frames, is ``make certify`` (``benchmarks/certify_frames.py``).
"""

from collections import Counter

from frame_judge import judge_all


def test_random_frames_end_in_a_result_or_in_a_sentence() -> None:
    judged = judge_all(range(1, 151))
    assert [f"frame {j.seed}: {j.bad}" for j in judged if j.bad] == []
    # The frames are neither all nonsense nor all sound.
    outcomes = Counter(j.outcome.split()[0] for j in judged)
    assert outcomes["result"] >= 15 and outcomes["refused"] >= 80
    assert len({j.outcome for j in judged}) >= 12
