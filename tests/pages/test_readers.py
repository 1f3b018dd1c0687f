"""/readers, run by Streamlit's own test runner; numbers are held against R's answers to the same study."""

import pandas as pd
import pytest

from tests.evidence_run import EXPECTED, SHORTCUT, make_evidence_run
from tests.pages.opened import open_page, words


@pytest.fixture(scope="module")
def study_page(tmp_path_factory):
    run = make_evidence_run(tmp_path_factory.mktemp("runs") / "study")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MRNET_MODEL", str(run))
        yield open_page("readers", source="This app's model")


def test_the_switch_sets_printed_numbers_in_place_of_recomputed_ones_and_names_the_misplaced_row():
    assert "0.892 (0.858, 0.918)" in words(open_page("readers"))
    printed = open_page("readers", tables="As printed")
    assert "0.882 (0.847, 0.910)" in words(printed)
    assert "0.892 (0.858, 0.918)" not in words(printed)
    assert any("C1" in warning.value for warning in printed.warning)


def test_parts_that_counts_cannot_give_say_why():
    reasons = [info.value.replace("\\", "") for info in open_page("readers").info]
    assert len(reasons) == 3
    assert all("case-level reads were never published" in reason for reason in reasons)


def test_the_simulated_study_shows_rs_q_values_and_kappas_and_is_called_synthetic(study_page):
    text = words(study_page)
    third = pd.read_csv(EXPECTED / "g_table3.csv")
    for value in third["q_bh27"]:
        assert f"<td>{'<0.001' if value < 0.001 else format(value, '.3f')}".replace("<0", "&lt;0") in text
    for value in pd.read_csv(EXPECTED / "g_fleiss.csv")["kappa_exact"]:
        assert f"{value:.3f}" in text
    assert "simulated readers" in text
    assert all(f"{value:.3f}" in text for value in SHORTCUT.values())


def test_the_simulated_study_shows_agreement_mrmc_and_crossover_as_charts(study_page):
    shown = [chart.proto.id for chart in study_page.get("plotly_chart")]
    charts = "\n".join(chart.proto.spec for chart in study_page.get("plotly_chart"))
    assert len(shown) == 7
    for series in ("Obuchowski-Rockette", "U-statistics", "Reference raters", "Effect"):
        assert series in charts
    assert not study_page.info


def test_without_any_group_of_readers_no_slopes_are_drawn():
    page = open_page("readers", readers="")
    assert not any("Each line is one reader" in caption.value for caption in page.caption)


def test_a_bad_row_of_a_persons_own_reads_is_named():
    page = open_page("readers", source="Your files")
    reads = b"reader,role,exam,task,assisted,read\nA,radiologist,E1,acl,0,1\nA,radiologist,E1,acl,1,2\n"
    reference = b"exam,task,majority\nE1,acl,1\n"
    page.file_uploader(key="own_readers_reads").set_value(("reads.csv", reads, "text/csv"))
    page.file_uploader(key="own_readers_reference").set_value(("reference.csv", reference, "text/csv")).run()
    page.button[-1].click().run()
    assert not page.exception
    message = page.error[0].value.replace("\\", "")
    assert "reads.csv, line 3 (row 2 of the data): read must be 0, 1 or empty" in message
