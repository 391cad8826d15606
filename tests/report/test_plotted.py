"""What is told of a figure's data: in its tooltips, and in the table below it."""

from dataclasses import replace

from dyadline.report.document import Document, Figure, Section
from dyadline.report.numbers import words
from dyadline.report.writers.live import pseudonyms
from dyadline.report.writers.plotted import MOST_ROWS, data_tables, fields
from linked_figures import dyad_figure, linked_document, number_figure

ROWS = [{"mean": 0.125, "n": 1200, "p": 0.0004}, {"mean": 2.0, "n": 3, "p": 0.5}]


def hint(field, title, form=""):
    return {"field": field, "title": title, "type": "quantitative", "format": form}


def written(figure: Figure) -> list[list[str]]:
    (table,) = data_tables(figure)
    heads = [table.stub, *(column.label for column in table.columns)]
    return [heads, *([r.label, *("" if c is None else words(c) for c in r.cells)] for r in table.rows())]


def test_tooltips_say_what_the_fields_are_and_how_they_are_written():
    tooltip = [hint("mean", "Mean", ",.2f"), hint("n", "Dyads", ",d"), hint("p", "p", ".3f")]
    assert written(number_figure(ROWS, tooltip)) == [
        ["Mean", "Dyads", "p"],
        ["0.12", "1,200", "< .001"],
        ["2.00", "3", ".500"],
    ]


def test_without_tooltips_the_axes_say_it():
    first = written(dyad_figure("one", slope=0.5))
    assert first[0] == ["Dyad", "Session", "Rating one"]
    assert first[4] == ["D001", "4", "2.00"]
    assert len(first) == 13


def test_fields_under_one_title_keep_their_own_names():
    y = {"type": "quantitative", "title": "Rating"}
    spec = {
        "data": {"values": [{"low_end": 1.5, "high_end": 2.5}]},
        "layer": [{"mark": "point", "encoding": {"y": {**y, "field": f}}} for f in ("low_end", "high_end")],
    }
    assert [f.label for f in fields(spec)] == ["Low end", "High end"]


def test_panels_have_a_table_each_and_long_data_none():
    def panel(title, n):
        x = {"field": "x", "type": "quantitative"}
        rows = [{"x": i, "y": i / 4} for i in range(n)]
        return {
            "title": title,
            "data": {"values": rows},
            "mark": "line",
            "encoding": {"x": x, "y": {**x, "field": "y"}},
        }

    def figure(n):
        return Figure(key="two", caption="", alt="", spec={"concat": [panel("Left", n), panel("Right", 2)]})

    assert [t.caption for t in data_tables(figure(3))] == ["Left", "Right"]
    assert [len(list(t.rows())) for t in data_tables(figure(MOST_ROWS - 2))] == [MOST_ROWS - 2, 2]
    assert data_tables(figure(MOST_ROWS - 1)) == ()


def test_dyads_are_offered_once_and_only_of_individual_figures():
    assert pseudonyms(linked_document()) == ["D001", "D002", "D003"]
    shared = replace(dyad_figure("third", slope=1), individual=False)
    assert pseudonyms(Document(title="", subtitle="", sections=(Section(key="s", title="", blocks=(shared,)),))) == []
