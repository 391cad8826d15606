"""Captions of figures: titles above without a full stop, notes below, as APA 7 (section 7.27) has them."""

import pytest

from dyadline.report.writers.captions import title_and_note


@pytest.mark.parametrize(
    ("caption", "title", "note"),
    [
        ("Two dots", "Two dots", ""),
        ("Two dots.", "Two dots", ""),
        ("Means by session. Bars: 95% confidence interval.", "Means by session", "Bars: 95% confidence interval."),
        ("One. Two. Three.", "One", "Two. Three."),
        ("Coefficients. × Time: on the slope.", "Coefficients", "× Time: on the slope."),
        ("Does it fall? Line: mean.", "Does it fall?", "Line: mean."),
        ("Share of 97.2% of col.x by session", "Share of 97.2% of col.x by session", ""),
        ("", "", ""),
    ],
)
def test_the_first_sentence_is_the_title(caption: str, title: str, note: str) -> None:
    assert title_and_note(caption) == (title, note)
