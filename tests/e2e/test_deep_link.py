"""A link straight to a demo exam, before anybody opened the app's first page."""

import re

import pytest

from tests.e2e.viewing import fingerprint, stage, wait_for_answer

pytestmark = pytest.mark.e2e


def test_a_link_to_a_demo_exam_opens_it_with_its_view_and_its_true_lesion(open_page):
    page = open_page("/exam?demo=acl&task=meniscus&slices=sagittal-3,axial-5")
    wait_for_answer(page)
    assert page.get_by_role("heading", name="Synthetic knee exam: ACL tear").is_visible()
    assert stage(page, "sagittal").get_attribute("aria-valuenow") == "3"
    assert stage(page, "axial").get_attribute("aria-valuenow") == "5"
    assert page.locator("[data-task=meniscus][role=radio]").get_attribute("aria-checked") == "true"
    assert page.locator(".mr-alarm").count() == 0
    assert page.locator(".mr-tag").all_inner_texts() == ["synthetic model"] * 3

    page.locator(".jump-all").click()
    stage(page, "sagittal").focus()
    page.keyboard.press("h")
    hidden = _every_slice(page)
    page.keyboard.press("t")
    assert "ACL" in page.locator(".true-words").inner_text()
    shown = _every_slice(page)
    drawn = [a != b for a, b in zip(hidden, shown, strict=True)]
    assert any(drawn), "no outline of the true lesion on any sagittal slice"
    assert not all(drawn), "an outline where no lesion can be"
    last = len(shown)
    page.wait_for_url(re.compile(rf"slices=sagittal-{last}\b"), timeout=5_000)


def _every_slice(page) -> list[int]:
    page.keyboard.press("Home")
    count = int(stage(page, "sagittal").get_attribute("aria-valuemax"))
    views = []
    for _ in range(count):
        views.append(fingerprint(page, "sagittal"))
        page.keyboard.press("ArrowDown")
    return views
