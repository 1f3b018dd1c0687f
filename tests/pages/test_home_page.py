"""The opening page, through the app's own navigation."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from mrnet_core.api.demo import DEMO_EXAMS
from mrnet_core.ui import layout
from mrnet_core.ui.text import RESEARCH_NOTICE

APP = str(Path(__file__).resolve().parents[2] / "app.py")


@pytest.fixture
def page(monkeypatch, tmp_path):
    monkeypatch.setattr("mrnet_core.ui.jobs.Pool", lambda: None)
    monkeypatch.setattr("mrnet_core.ui.jobs._pool", None)
    monkeypatch.setattr(layout, "DEMO_RUN", tmp_path)
    page = AppTest.from_file(APP, default_timeout=20).run()
    assert not page.exception
    return page


def test_the_opening_page_says_what_this_is_and_that_the_model_is_synthetic(page):
    words = "\n".join(element.proto.body for element in page.get("html"))
    assert page.title[0].value == "A neural network reads a knee MRI"
    assert "synthetic knees" in words
    assert RESEARCH_NOTICE in words


def test_the_opening_page_leads_to_an_exam_of_ones_own_and_to_each_demo_exam(page):
    links = [element.proto for element in page.get("page_link")]
    assert [link.page for link in links] == ["exam"] * (1 + len(DEMO_EXAMS))
    assert [link.query_string for link in links[1:]] == [f"demo={entry.name}" for entry in DEMO_EXAMS]


def test_the_opening_page_stands_without_its_picture(page):
    assert len(page.get("imgs")) == 0
