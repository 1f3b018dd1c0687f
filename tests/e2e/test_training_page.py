"""The training page follows a run that goes on, and turns into the model's page once it is one."""

import re

import pytest

from tests.e2e.conftest import served, watched_pages
from tests.training_runs import begin_run, finish_run

pytestmark = pytest.mark.e2e
PATIENCE = 60_000
"""Milliseconds; the page looks at the run every five seconds."""


def test_the_page_follows_a_run_as_its_histories_grow_until_it_is_a_model(browser, tmp_path):
    run = begin_run(tmp_path / "run", epochs=1)
    with served(run) as address, watched_pages(address, browser) as open_page:
        page = open_page("/training")
        page.get_by_text("9 of 9 networks begun, 20% of the planned epochs done").wait_for(timeout=PATIENCE)
        begin_run(run, epochs=4)
        page.get_by_text("9 of 9 networks begun, 80% of the planned epochs done").wait_for(timeout=PATIENCE)
        finish_run(begin_run(run, epochs=5))
        page.get_by_text("Do the heatmaps point at the lesion?").wait_for(timeout=PATIENCE)
        assert page.get_by_text("This run still trains").count() == 0
        assert page.get_by_text("synthetic", exact=True).first.is_visible()
        page.get_by_text("Severity", exact=True).click()
        page.wait_for_url(re.compile("grades=Severity"), timeout=PATIENCE)
        page.get_by_role("cell", name="subtle").first.wait_for(timeout=PATIENCE)
