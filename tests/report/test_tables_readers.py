"""The tables of a reader study as people read them."""

import io
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from pptx import Presentation

from mrnet_core.api import evidence as api
from mrnet_core.stats import NO_SPREAD

REFERENCE = Path(__file__).resolve().parents[1] / "reference" / "inputs"
OPTIONS = api.Options(replicates=50)


def study(options=OPTIONS, reads=None, model=True):
    """The simulated study, or the same with other reads or without the model."""
    names = ("reads", "reference", "model") if model else ("reads", "reference")
    files = [REFERENCE / f"g_{name}.csv" for name in names]
    if reads is not None:
        files[0] = api.TableFile("reads.csv", reads.to_csv(index=False).encode())
    return api.file_readers(*files, options=options)


def reads_of_the_study():
    return pd.read_csv(REFERENCE / "g_reads.csv", dtype=str)


def without_assisted_acl_reads_of(*readers):
    """The study's reads but for some readers' assisted ACL reads."""
    reads = reads_of_the_study()
    return reads[~(reads["reader"].isin(readers) & (reads["task"] == "acl") & (reads["assisted"] == "1"))]


def with_equal_gains():
    """Every reader misreads the same 24 ACL exams unassisted, and none assisted: 0.2 for each of them."""
    reads = reads_of_the_study().query("task == 'acl'")
    truth = pd.read_csv(REFERENCE / "g_reference.csv", dtype=str).query("task == 'acl'").set_index("exam")["majority"]
    right = reads["exam"].map(truth).astype(int)
    wrong = (reads["assisted"] == "0") & reads["exam"].isin(sorted(truth.index)[:24])
    return reads.assign(read=right.where(~wrong, 1 - right))


def some_validation(level):
    exams = pd.DataFrame({"exam": range(40), "task": "acl"})
    scores = exams.assign(probability=[(7 * i % 40) / 40 for i in range(40)])
    labels = exams.assign(label=[i % 2 for i in range(40)])
    files = [api.TableFile(f"{i}.csv", frame.to_csv(index=False).encode()) for i, frame in enumerate((scores, labels))]
    return api.file_validation(*files, level=level)


@pytest.fixture(scope="module")
def narrow():
    """The simulated study with 90% intervals."""
    return study(replace(OPTIONS, level=0.9))


def test_the_heads_of_a_studys_tables_name_its_own_level(narrow):
    tables = (
        *(api.recomputed_table2(narrow), api.recomputed_table3(narrow), api.recomputed_s4(narrow)),
        *(api.model_auc_frame(narrow), api.crossover_frame(narrow)),
    )
    for table in tables:
        heads = " ".join(table.columns)
        assert "90% CI" in heads
        assert "95%" not in heads
    assert "By-exam 90% CI" in api.recomputed_table2(narrow)


def test_captions_and_alternative_texts_of_a_studys_figures_name_its_own_level(narrow):
    words = {spec.id: f"{spec.caption} {spec.alt}" for spec in api.reader_figures(narrow)}
    assert not [name for name, text in words.items() if "95%" in text]
    assert all("90%" in words[name] for name in ("difference", "table2", "table3", "mrmc", "crossover"))


def test_a_validation_names_its_own_level_in_heads_and_captions():
    validation = some_validation(0.975)
    view = api.operating_view(validation, next(iter(validation.tasks)), 3)
    for table in (api.auc_words(validation), api.operating_frame(view)):
        assert "97.5% CI" in " ".join(table.columns)
    for spec in api.validation_figures(validation):
        assert "97.5%" in spec.caption
        assert "95%" not in spec.caption


def test_tables_say_how_many_readers_each_row_rests_on_and_who_is_left_out():
    evidence = study(reads=without_assisted_acl_reads_of("R1", "R2", "R3"))
    table = api.recomputed_table3(evidence)
    assert table["Readers"].tolist() == [9, 9, 9, 6, 6, 6, 9, 9, 9]
    assert set(table["Note"][3:6]) == {"without R1, R2, R3, who did not read in both conditions"}
    assert set(table["Note"].drop([3, 4, 5])) == {""}
    kappa = api.kappa_frame(evidence.kappa).set_index(["Set", "Task"])["Raters"]
    assert (kappa["experts_9", "ACL tear"], kappa["experts_9", "Abnormality"]) == ("9/6", "9")
    effects = api.crossover_frame(evidence)
    readers = effects.set_index("Task")["Readers, unassisted + assisted first"].groupby(level=0, sort=False).first()
    assert readers.tolist() == ["6 + 3", "3 + 3", "6 + 3"]
    assert "without R1, R2, R3" in api.readers_text(evidence).partition("Table 3.")[2].partition("S4.")[0]


def test_tables_give_the_reason_for_what_is_undefined():
    """Gains that are equal have no spread: no interval and no p."""
    evidence = study(reads=with_equal_gains())
    table = api.recomputed_table3(evidence).set_index(["Task", "Metric"])
    accuracy = table.loc[("ACL tear", "Accuracy")]
    assert accuracy["Mean difference (95% CI)"] == "0.200 (–, –)"
    assert "essentially constant" in accuracy["Note"]
    assert all("essentially constant" in note for note in api.crossover_frame(evidence)["Note"])
    deck = Presentation(io.BytesIO(api.slides([], title="Readers", tables={"Table 3": table.reset_index()})))
    (shown,) = [shape.table for slide in deck.slides for shape in slide.shapes if shape.has_table]
    assert "essentially constant" in shown.cell(1, len(shown.columns) - 1).text
    assert shown.columns[len(shown.columns) - 1].width == max(column.width for column in shown.columns)


def test_kappa_names_the_condition_that_a_note_speaks_of():
    reads = reads_of_the_study()
    alone = reads[(reads["assisted"] == "0") | (reads["reader"] == "R1")]
    table = api.kappa_frame(study(reads=alone).kappa).set_index(["Set", "Task"])
    row = table.loc[("experts_9", "ACL tear")]
    assert (row["Raters"], row["Note"]) == ("9/1", "assisted: fewer than two raters read")


def test_tables_of_a_whole_study_have_neither_readers_nor_notes():
    evidence = study()
    for table in (api.recomputed_table2(evidence), api.recomputed_table3(evidence), api.crossover_frame(evidence)):
        assert not {"Note", "Readers"} & set(table.columns)


def test_an_average_by_exam_without_width_is_noted_beside_it():
    """The surgeons read 124 of 124 healthy ligaments right with the model."""
    table = api.averages_frame(study()).set_index(["Readers", "Condition", "Task", "Metric"])
    row = table.loc[("surgeon (2)", "assisted", "ACL tear", "specificity")]
    assert (row["Reads"], row["By exam"]) == ("124/124", "(1.000, 1.000)")
    assert row["Note"] == f"by exam: {NO_SPREAD}"
    assert (table["Note"] != "").sum() == (table["By exam"] == "(1.000, 1.000)").sum()


def test_the_pooled_interval_is_called_usually_too_narrow_and_never_surely():
    evidence = study()
    assert "are usually too narrow" in evidence.warnings[0]


def test_the_family_of_tests_is_named_by_the_tables_that_have_tests():
    reads = reads_of_the_study()
    assert api.family_words(study()).endswith("one family of 27 tests (Table 2, Table 3 and S4).")
    assert api.family_words(study(reads=reads[reads["assisted"] == "0"])).endswith("9 tests (Table 2).")
    alone = study(reads=reads[(reads["assisted"] == "0") & (reads["reader"] == "R1")], model=False)
    assert api.family_words(alone) == "There is no q: no test of this study has a p-value."
    assert "family of 0" not in api.readers_text(alone)


def test_every_null_of_a_studys_json_has_its_reason_in_a_note():
    answer = api.readers_json(study(reads=with_equal_gains()))
    undefined = [row for row in answer["family"] if row["p"] is None]
    assert len(undefined) == 6
    assert all("essentially constant" in row["note"] for row in undefined)
    assert "Storey" in answer["table2"][0]["note"]
    alone = api.readers_json(study(reads=reads_of_the_study().query("reader == 'R1'")))
    assert "no spread between readers" in alone["averages"][0]["note"]
    rows = [row for part in (answer, alone) for rows in part.values() if isinstance(rows, list) for row in rows]
    assert all(row["note"] for row in rows if isinstance(row, dict) and None in row.values())
