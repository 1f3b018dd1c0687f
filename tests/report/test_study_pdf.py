"""A study's pages: everything is on them, inside the margins, as text; a long table says its head on every page."""

import io
import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from matplotlib import image, rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import Rectangle

from mrnet_core.report.study import Section, study_html
from mrnet_core.report.study_layout import table_layouts, text_width, wrap
from mrnet_core.report.study_pdf import LEFT, PAGE, SETTINGS, WIDTH, study_pages, study_pdf
from mrnet_core.report.study_words import words_table

LONG = "Not given by the paper: Adam, learning rate 1e-05, constant after 100 steps of warm-up, weight decay 0 "
NUMBERS = pd.DataFrame({"task": ["acl"] * 90, "number": [f"row{k}" for k in range(90)], "auc": np.linspace(0, 1, 90)})
NOTES = pd.DataFrame(
    {"task": ["acl", "meniscus"], "estimate": [0.5, -0.25], "note": [LONG * 6 + "endOfNote", "division by zero"]}
)
WIDE = pd.DataFrame(
    {"task": ["acl"], "rule": ["threshold 0.5"]} | {f"quantity{k}_by_chance": [f"{k}.1234567"] for k in range(30)}
)


def picture(height, width):
    buffer = io.BytesIO()
    image.imsave(buffer, np.linspace(0, 1, height * width).reshape(height, width), format="png")
    return buffer.getvalue()


SECTIONS = (
    Section(
        "What this is",
        ("A paragraph costing $5 and $6. " + LONG * 3,),
        (("Departures", pd.DataFrame({"departure": [LONG * 3 + "endOfDeparture", "Epochs: 5 (paper: 50)."]})),),
    ),
    Section(
        "Numbers",
        (),
        (("Ninety rows", NUMBERS), ("Notes", NOTES), ("Wide", WIDE), ("Nothing", NOTES.iloc[:0])),
        (("A wide picture", picture(60, 200)), ("A tall picture", picture(400, 100))),
    ),
)
TITLE, MARK = "The study again", "SYNTHETIC: computed knees, no patients."


@pytest.fixture(scope="module")
def pages():
    with rc_context(SETTINGS):
        return study_pages(TITLE, MARK, SECTIONS)


def texts(page):
    return [text.get_text() for text in page.texts]


def words_of(text):
    return re.sub(r"\s", "", text)


def cells():
    """Every text that must be on the pages."""
    yield from (MARK, "0.500", "−0.250", "No rows.", "Quantity29 by chance", "29.1234567")
    for section in SECTIONS:
        yield from (section.title, *section.paragraphs)
        yield from (caption for caption, _ in (*section.tables, *section.figures))
        for _, table in section.tables:
            yield from (value for row in table.to_numpy() for value in row if isinstance(value, str) and value != "acl")


def test_every_word_of_every_cell_is_on_the_pages_and_nothing_is_shortened(pages):
    shown = " ".join(text for page in pages for text in texts(page)).split()
    wanted = {word for text in cells() for word in text.split()}
    assert wanted <= set(shown) | {"meniscus"}  # shown by its name, Meniscal tear
    assert not any("…" in word for word in shown)
    assert shown.count("endOfNote") == shown.count("endOfDeparture") == 1


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="needs pdftotext, which reads the file's own text")
def test_the_file_holds_its_text_as_text_with_true_minus_and_dashes(tmp_path):
    (tmp_path / "study.pdf").write_bytes(study_pdf(TITLE, MARK, SECTIONS))
    done = subprocess.run(
        ["pdftotext", "-raw", str(tmp_path / "study.pdf"), "-"], capture_output=True, text=True, check=True
    )
    found = words_of(done.stdout)
    assert [word for text in cells() for word in text.split() if word not in found and word != "meniscus"] == []


def test_every_line_stays_inside_the_margins_and_no_two_lines_overlap(pages):
    for page in pages:
        page.set_dpi(720)  # a screen's whole pixels would widen the letters
        with rc_context(SETTINGS | {"text.hinting": "none"}):
            renderer = FigureCanvasAgg(page).get_renderer()
            boxes = [text.get_window_extent(renderer) for text in page.texts]
        scale = page.dpi / 72
        for box, text in zip(boxes, texts(page), strict=True):
            assert box.x0 > (LEFT - 3) * scale, text
            assert box.x1 < (LEFT + WIDTH + 3) * scale, text
            assert 0 < box.y0 < box.y1 < PAGE[1] * scale, text
        for k, one in enumerate(boxes):
            for other in boxes[k + 1 :]:
                across = min(one.x1, other.x1) - max(one.x0, other.x0)
                down = min(one.y1, other.y1) - max(one.y0, other.y0)
                assert across < 2 * scale or down < 3 * scale


def test_a_table_over_a_page_says_its_head_again_above_the_further_rows(pages):
    with_rows = [texts(page) for page in pages if any(re.fullmatch(r"row\d+", text) for text in texts(page))]
    assert len(with_rows) > 1
    for page in with_rows:
        first = next(k for k, text in enumerate(page) if re.fullmatch(r"row\d+", text))
        assert {"Task", "Number", "AUC"} <= set(page[:first])


def test_blocks_share_pages_which_are_numbered_with_the_title_at_their_foot(pages):
    assert len(pages) <= 6  # six tables and two figures, one of them of 90 rows
    for number, page in enumerate(pages, 1):
        assert texts(page)[-2:] == [TITLE, f"{number} / {len(pages)}"]


def test_pictures_keep_their_shape_and_fill_the_width_where_the_page_is_high_enough(pages):
    places = [axes.get_position() for page in pages for axes in page.axes]
    assert [round(box.height * PAGE[1] / (box.width * PAGE[0]), 3) for box in places] == [0.3, 4.0]
    assert places[0].width * PAGE[0] == pytest.approx(WIDTH)
    assert all(0 < box.y0 < box.y1 < 1 for box in places)


def test_the_same_study_gives_the_same_bytes():
    assert study_pdf(TITLE, MARK, SECTIONS[:1]) == study_pdf(TITLE, MARK, SECTIONS[:1])


def test_without_a_mark_there_is_no_frame():
    pages = (study_pages(TITLE, mark, SECTIONS[:1])[0] for mark in (MARK, ""))
    assert [sum(isinstance(one, Rectangle) for one in page.artists) for page in pages] == [1, 0]


def test_a_table_wraps_before_its_type_shrinks_and_splits_only_below_the_least_type():
    short, notes = (table_layouts(frame.astype(str), WIDTH) for frame in (NUMBERS, NOTES))
    assert [layout.size for layout in (*short, *notes)] == [8, 8]
    assert len(notes[0].rows[0][2]) > 5
    wide = words_table(WIDE)
    middle = table_layouts(wide.iloc[:, :9], WIDTH)
    assert len(middle) == 1
    assert 5.5 <= middle[0].size < 8
    groups = table_layouts(wide, WIDTH)
    assert len(groups) > 1
    for layout in (*short, *notes, *middle, *groups):
        assert sum(layout.widths) + layout.gap * (len(layout.widths) - 1) <= WIDTH + 0.01
        assert layout.size >= 5.5
    assert {tuple(map(" ".join, layout.heads[:2])) for layout in groups} == {("Task", "Operating point")}
    assert sum(len(layout.heads) - 2 for layout in groups) == 30


def test_a_word_wider_than_the_line_is_broken_and_none_of_it_is_lost():
    lines = wrap("commit " + "e0128ea4451" * 9 + " done", 100, 9)
    assert "".join(lines).replace("commit", "").replace("done", "").strip() == "e0128ea4451" * 9
    assert all(text_width(line, 9) <= 100.01 for line in lines)
    columns = pd.DataFrame({f"c{k}": ["x" * 400] for k in range(3)})
    for layout in table_layouts(columns, WIDTH):
        assert ["".join(cell) for cell in layout.rows[0]] == ["x" * 400] * len(layout.widths)


def test_a_row_higher_than_a_page_goes_on_as_a_further_row():
    frame = pd.DataFrame({"task": ["acl"], "note": [" ".join(f"word{k}" for k in range(3000))]})
    pages = study_pages(TITLE, "", [Section("Long", (), (("Words", frame),))])
    shown = " ".join(text for page in pages for text in texts(page)).split()
    assert [word for word in shown if word.startswith("word")] == [f"word{k}" for k in range(3000)]


def test_the_html_holds_long_cells_whole():
    html = study_html(TITLE, MARK, SECTIONS)
    assert LONG * 6 + "endOfNote" in html
    assert "<th>Quantity29 by chance</th>" in html
