"""The study's report from a finished run."""

import json
import re

import lxml.html
import pandas as pd
import pytest

from mrnet_core.api import reproduce
from mrnet_core.api.runs import EnsembleSummary
from mrnet_core.config import TrainConfig, tuning_words
from mrnet_core.domain import Plane, Task
from mrnet_core.store import write_whole
from tests.evidence_run import INPUTS
from tests.training_runs import begin_run, finish_run, regression

PAPER_AUC = {Task.ABNORMAL: 0.937, Task.ACL: 0.965, Task.MENISCUS: 0.847}
"""Copied from the paper's text."""
PAPERS = "The paper's, on its own 120 exams"
BY_PAIRS = 13 / 15
"""Of the finished run's exams 2, 5, 6, 7 and 8 against 1, 3 and 4, scores rising: exam 2 loses to 3 and 4."""


def auc_record(task, model, value):
    return {"split": "validation", "task": task.value, "model": model, "auc": value, "n_pos": 5, "n_neg": 3, "note": ""}


def write(folder, *, synthetic=True, readers=False):
    """The report of a finished run, with AUCs that differ by task."""
    run = begin_run(folder / "run")
    for name in ("reads", "reference", "model") if readers else ():
        write_whole(run / "readers" / f"{name}.csv", (INPUTS / f"g_{name}.csv").read_bytes())
    finish_run(run, synthetic=synthetic)
    aucs = [
        auc_record(task, model, value + k / 1000)
        for k, task in enumerate(Task)
        for model, value in (("axial", 0.771), ("ensemble, training", 0.881))
    ]
    coefficients = tuple(regression(task, "training") for task in Task)
    page = reproduce.write_report(folder, run, EnsembleSummary(run, coefficients, tuple(aucs)))
    assert page == folder / "report.html"
    return folder


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return write(tmp_path_factory.mktemp("report"), readers=True)


def table_below(page, caption):
    """Rows of the table under a caption, by the words of its header."""
    heading = next(one for one in page.iter("h3") if one.text_content() == caption)
    rows = [[cell.text_content() for cell in row.iter("th", "td")] for row in heading.getnext().iter("tr")]
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


def test_the_reports_auc_table_holds_every_model_and_the_papers_figure_beside_the_ensembles(report):
    page = lxml.html.parse(str(report / "report.html")).getroot()
    rows = {(row["Task"], row["Model"]): row for row in table_below(page, "AUC of networks and ensembles")}
    assert len(rows) == 6
    for k, task in enumerate(Task):
        ensemble, network = (rows[task.display_name, name] for name in ("ensemble, training", "axial"))
        assert (ensemble["AUC"], ensemble[PAPERS]) == (f"{0.881 + k / 1000:.3f}", str(PAPER_AUC[task]))
        assert (network["AUC"], network[PAPERS]) == (f"{0.771 + k / 1000:.3f}", "")
        assert (network["Positive exams"], network["Negative exams"]) == ("5", "3")
    validation = table_below(page, "AUC on the validation exams")
    assert len(validation) == 3
    for row in validation:
        assert row["AUC (95% CI)"].startswith(f"{BY_PAIRS:.3f} (")
        assert row["Shortcut's AUC"] == "0.625"


def test_the_report_names_departures_warnings_and_the_synthetic_knees_before_any_number(report):
    page = lxml.html.parse(str(report / "report.html")).getroot()
    assert table_below(page, "Departures") == [{"Departure from the paper": "Epochs: 5 (paper: 50)."}]
    text = page.text_content()
    assert "The network coronal meniscus is constant." in text
    assert "Training: 90 minutes" in text
    assert 0 < text.index("SYNTHETIC: computed knees, no patients.") < text.index("What this is")


def test_the_report_holds_regressions_grades_the_simulated_readers_and_its_figures(report):
    page = lxml.html.parse(str(report / "report.html")).getroot()
    acl = next(row for row in table_below(page, "Regressions") if row["Task"] == "ACL tear")
    assert [acl[plane.display_name] for plane in Plane] == ["1.000", "3.000", "2.000"]
    whole = table_below(page, "Whole validation set")
    values = {row["Pointing game (95% CI)"] for row in whole}
    assert values == {"0.625 (0.525, 0.725)", "0.125 (0.000 to 0.375)"}
    calls = {(row["Network"], row["Called positive"], row["Of them, hot spot missed"]) for row in whole}
    assert calls == {("trained", "6", "2"), ("untrained", "6", "2")}
    assert "Do the heatmaps point at the lesion?" in page.text_content()
    assert "Graded on eight exams of the tests." in page.text_content()
    assert len(table_below(page, "Table 2, this study (simulated readers)")) == 9
    assert "they show that the analysis runs, and nothing else" in page.text_content()
    pictures = [one.get("src") for one in page.iter("img")]
    assert len(pictures) > 3
    assert all(one.startswith("data:image/png;base64,iVBOR") for one in pictures)


def test_the_pdf_has_the_pages_and_every_table_is_a_csv_of_its_own(report):
    pdf = (report / "report.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    page = lxml.html.parse(str(report / "report.html")).getroot()
    tables, pictures = len(list(page.iter("table"))), len(list(page.iter("img")))
    assert 3 <= len(re.findall(rb"/Type /Page\b", pdf)) < tables + pictures
    written = {path.name for path in (report / "tables").iterdir()}
    assert len(written) == tables
    assert {"what_this_is_1.csv", "performance_1.csv", "networks_and_regressions_1.csv"} <= written
    table = pd.read_csv(report / "tables" / "performance_1.csv")
    assert table["AUC"].tolist() == pytest.approx([0.771, 0.881, 0.772, 0.882, 0.773, 0.883])


def test_warnings_that_differ_in_the_planes_alone_become_one_line_and_no_other_word_is_lost(tmp_path):
    rest = "has a negative coefficient: a higher probability in that plane lowers the ensemble's."
    warnings = [
        f"The regression of {task} over {planes} (out-of-fold) {rest}"
        for task in ("acl", "meniscus")
        for planes in ("sagittal, coronal", "coronal, axial")
    ]
    run = begin_run(tmp_path / "run")
    finish_run(run, synthetic=True)
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    write_whole(run / "manifest.json", json.dumps(manifest | {"warnings": ["Something else.", *warnings]}))
    reproduce.write_report(tmp_path, run, EnsembleSummary(run, (regression(Task.ACL, "training"),), ()))
    page = lxml.html.parse(str(tmp_path / "report.html")).getroot()
    negative = "a negative coefficient: a higher probability in that plane lowers the ensemble's."
    assert [row["Warning"] for row in table_below(page, "Warnings")] == [
        "Something else.",
        f"Regression of ACL tear (out-of-fold) over sagittal + coronal; coronal + axial: {negative}",
        f"Regression of Meniscal tear (out-of-fold) over sagittal + coronal; coronal + axial: {negative}",
    ]


def test_a_report_of_real_knees_without_readers_has_neither_the_mark_nor_the_section(tmp_path):
    text = (write(tmp_path, synthetic=False) / "report.html").read_text(encoding="utf-8")
    assert "SYNTHETIC" not in text
    assert "Reader study" not in text


def test_the_exams_that_chose_something_are_named_and_the_validation_exams_are_not_among_them():
    said = reproduce._chosen_words(TrainConfig(), validated=True)
    assert said == f"{tuning_words(TrainConfig())} The validation exams chose nothing."


def test_a_report_of_an_inner_choice_without_validation_exams_calls_no_figure_too_good(tmp_path):
    run = begin_run(tmp_path / "run")
    write_whole(run / "config.json", TrainConfig(tuning="inner").to_json())
    finish_run(run, synthetic=False, scored="tuning")
    reproduce.write_report(tmp_path, run, EnsembleSummary(run, (regression(Task.ACL, "training"),), ()))
    text = lxml.html.parse(str(tmp_path / "report.html")).getroot().text_content()
    assert "15% of the training exams chose the epochs. There are no validation exams: MRNet-v1.0 has none" in text
    assert "too good" not in text


def test_without_validation_exams_the_tuning_exams_are_evaluated_as_fully_and_called_so(tmp_path):
    """As for MRNet-v1.0, whose public split has no others."""
    run = begin_run(tmp_path / "run")
    finish_run(run, synthetic=False, scored="tuning")
    reproduce.write_report(tmp_path, run, EnsembleSummary(run, (regression(Task.ACL, "training"),), ()))
    page = lxml.html.parse(str(tmp_path / "report.html")).getroot()
    rows = table_below(page, "AUC on the tuning exams")
    assert len(rows) == 3
    assert all(row["AUC (95% CI)"].startswith(f"{BY_PAIRS:.3f} (") for row in rows)
    text, pictures = page.text_content(), {one.get("alt") for one in page.iter("img")}
    assert tuning_words(TrainConfig()) in text
    assert "validation exams chose nothing" not in text
    assert "Rates on the tuning exams at two operating points" in text
    assert any("ROC" in caption for caption in pictures), pictures
