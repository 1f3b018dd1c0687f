"""/paper, and the stage that every evidence page has."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.opened import open_page, words


@pytest.fixture(scope="module")
def page() -> AppTest:
    return open_page("paper")


def test_every_printed_number_stands_in_the_table_and_the_tally_counts_them(page):
    table = page.dataframe[-1].value
    assert len(table) == 289
    for status, count in table["Status"].value_counts().items():
        assert f'mr-value">{count}<small>{status.capitalize()}' in words(page)


def test_the_eight_findings_are_cards_with_claim_and_evidence(page):
    text = words(page)
    for number in range(1, 9):
        assert f'id="C{number}"' in text
    assert text.count("Its counts say") == 8
    assert "362/406" in text


def test_the_address_filters_the_table():
    found = open_page("paper", status="Differs", words="meniscal specificity").dataframe[-1].value
    assert set(found["Status"]) == {"differs"}
    assert list(found["Printed"]) == ["0.882", "0.847", "0.910"]


def test_the_stage_shows_one_figure_and_the_arrow_turns_to_the_next():
    stage = open_page("paper", present="1", figure="difference")
    assert len(stage.get("plotly_chart")) == 1
    assert "Change with model assistance" in words(stage)
    stage.button(key="turn_Right").click().run()
    assert stage.query_params["figure"] == "table2"
    stage.button(key="turn_Esc").click().run()
    assert "present" not in stage.query_params
    assert len(stage.dataframe) > 0
