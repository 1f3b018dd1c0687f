"""``evaluate``: the contract's JSON, text that reads, files written, one sentence for what is wrong."""

import json
from pathlib import Path

import pandas as pd
import pytest

from mrnet_core.api.evidence import file_validation
from mrnet_core.cli import main
from mrnet_core.config import TrainConfig
from mrnet_core.datasets.tables import TableFile
from mrnet_core.phantom.layout import EXAMS_CSV
from mrnet_core.store import write_manifest
from tests.evidence_run import SHORTCUT, make_evidence_run

REFERENCE = Path(__file__).resolve().parents[1] / "reference"
INPUTS = REFERENCE / "inputs"
STUDY = [
    *("--reads", str(INPUTS / "g_reads.csv"), "--reference", str(INPUTS / "g_reference.csv")),
    *("--model", str(INPUTS / "g_model.csv")),
]


def run(capsys, *words):
    status = main(["evaluate", *map(str, words)])
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def strict(text):
    """JSON that has neither NaN nor Infinity."""

    def refuse(word):
        raise AssertionError(f"{word} in JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.fixture
def small_study(tmp_path):
    """One task, three readers of each crossover group, no confidence: quick."""
    reads = pd.read_csv(INPUTS / "g_reads.csv", dtype=str)
    reads = reads[(reads["task"] == "acl") & reads["reader"].isin(["R1", "R2", "R5", "R6", "R8", "R9"])]
    reads.drop(columns="confidence").to_csv(tmp_path / "reads.csv", index=False)
    reference = pd.read_csv(INPUTS / "g_reference.csv", dtype=str)
    reference[reference["task"] == "acl"].to_csv(tmp_path / "reference.csv", index=False)
    return ["--reads", tmp_path / "reads.csv", "--reference", tmp_path / "reference.csv", "--replicates", 200]


def test_published_prints_the_contracts_object(capsys):
    status, out, err = run(capsys, "published", "--json")
    answer = strict(out)
    assert (status, err) == (0, "")
    assert set(answer["records"][0]) >= {"id", "where", "quantity", "printed", "recomputed", "status", "note"}
    assert {record["status"] for record in answer["records"]} == {"equal", "differs", "not recomputable"}
    assert [entry["id"] for entry in answer["contradictions"]] == [f"C{i}" for i in range(1, 9)]
    assert len(answer["family"]) == 27
    assert set(answer["family"][0]) >= {"task", "metric", "test", "p", "q"}


def test_published_reads_well_in_a_terminal(capsys):
    status, out, _ = run(capsys, "published")
    assert status == 0
    assert "0 different" not in out
    assert "ACL tear       Specificity  0.048 (0.029, 0.068)      <0.001  0.006" in out
    for i in range(1, 9):
        assert f"\nC{i}  " in out
    prose = out[out.index("Where the paper contradicts") :].splitlines()
    assert max(map(len, prose[:-1])) <= 110


def test_published_writes_its_tables(capsys, tmp_path):
    status, _, _ = run(capsys, "published", "--csv", tmp_path / "tables")
    assert status == 0
    names = {path.name for path in (tmp_path / "tables").iterdir()}
    assert {"table2.csv", "table3.csv", "s4.csv", "family.csv", "auc.csv"} <= names
    assert len(pd.read_csv(tmp_path / "tables" / "family.csv")) == 27


def test_readers_prints_the_columns_of_rs_tables(capsys):
    status, out, err = run(capsys, "readers", *STUDY, "--json")
    answer = strict(out)
    assert (status, err) == (0, "")
    names = {
        "table2": "g_table2",
        "table3": "g_table3",
        "s4": "g_table_s4_radiologists_only",
        "kappa": "g_fleiss",
        "auc": "g_model_auc",
        "per_reader": "g_per_reader",
        "averages": "g_averages",
        "mrmc": "h_g_mrmcaov",
    }
    for key, name in names.items():
        want = pd.read_csv(REFERENCE / "expected" / f"{name}.csv")
        assert set(want.columns) <= set(answer[key][0]), key
        assert len(answer[key]) >= len(want), key
    assert {row["family_size"] for row in answer["table2"]} == {27}
    assert {row["effect"] for row in answer["crossover"]} == {"period", "carry_over", "assistance"}
    assert "not independent" in answer["warnings"][0]


def test_readers_reads_well_and_writes_slides(capsys, small_study, tmp_path):
    status, out, _ = run(capsys, "readers", *small_study, "--slides", tmp_path / "talk.pptx")
    assert status == 0
    assert "no model scores were given" in out
    assert "not independent" in out
    assert "Crossover: period and carry-over" in out
    assert (tmp_path / "talk.pptx").stat().st_size > 20_000


def test_a_bad_row_is_one_sentence_on_stderr_and_status_2(capsys, small_study):
    path = small_study[1]
    lines = path.read_text().splitlines()
    lines[3] = lines[3].rsplit(",", 1)[0] + ",7"
    path.write_text("\n".join(lines))
    status, out, err = run(capsys, "readers", *small_study)
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert "reads.csv, line 4 (row 3 of the data): read must be" in err


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--main-role", "nurse"], "the roles are radiologist, surgeon"),
        (["--level", "1.2"], "confidence level"),
        (["--replicates", "3"], "at least 100"),
    ],
)
def test_options_that_cannot_be_are_refused(capsys, small_study, extra, message):
    status, out, err = run(capsys, "readers", *small_study, *extra)
    assert (status, out) == (2, "")
    assert message in err


@pytest.fixture
def score_tables(tmp_path):
    model = pd.read_csv(INPUTS / "g_model.csv")
    model.to_csv(tmp_path / "scores.csv", index=False)
    model.assign(probability=(model["probability"] * 0.5 + 0.2).round(2)).to_csv(tmp_path / "scores2.csv", index=False)
    labels = pd.read_csv(INPUTS / "g_reference.csv")[["exam", "task", "majority"]]
    labels.rename(columns={"majority": "label"}).to_csv(tmp_path / "labels.csv", index=False)
    return tmp_path


def test_validation_prints_the_contracts_object(capsys, score_tables):
    words = ["--scores", score_tables / "scores.csv", "--labels", score_tables / "labels.csv", "--json"]
    status, out, _ = run(capsys, "validation", *words, "--scores2", score_tables / "scores2.csv", "--prevalence", "0.2")
    answer = strict(out)
    assert status == 0
    want = pd.read_csv(REFERENCE / "expected" / "g_model_auc.csv").set_index("task")
    for row in answer["auc"]:
        assert row["lower95"] == pytest.approx(want.loc[row["task"], "lower"], abs=1e-10)
        assert row["n_pos"] == want.loc[row["task"], "n_pos"]
    table2 = pd.read_csv(REFERENCE / "expected" / "g_table2.csv").set_index(["task", "metric"])
    half = [row for row in answer["operating"] if row["threshold"] == 0.5]
    assert len(half) == 9
    for row in half:
        assert row["x"] == table2.loc[(row["task"], row["metric"]), "model_x"]
    assert {row["prevalence"] for row in answer["predictive"]} == {0.2}
    assert len(answer["comparison"]) == 3
    assert set(answer["calibration"][0]) >= {"task", "brier", "slope", "intercept", "bins"}


def test_validation_sets_the_papers_values_beside_and_writes_figures(capsys, score_tables):
    words = ["--scores", score_tables / "scores.csv", "--labels", score_tables / "labels.csv"]
    status, out, _ = run(capsys, "validation", *words, "--figures", score_tables / "figures")
    assert status == 0
    names = {path.name for path in (score_tables / "figures").iterdir()}
    assert names == {f"{name}.{kind}" for name in ("roc", "calibration") for kind in ("png", "svg", "pdf", "csv")}
    assert "0.965 (0.938, 0.993)" in out
    assert "0.759 (0.635, 0.850)" in out
    assert "Calibration" in out


@pytest.mark.parametrize(("option", "value"), [("--specificity", "1.5"), ("--prevalence", "0"), ("--level", "2")])
def test_numbers_out_of_range_are_refused(capsys, score_tables, option, value):
    words = ["--scores", score_tables / "scores.csv", "--labels", score_tables / "labels.csv"]
    status, out, err = run(capsys, "validation", *words, option, value)
    assert (status, out) == (2, "")
    assert err.count("\n") == 1


@pytest.fixture(scope="module")
def synthetic_run(tmp_path_factory):
    return make_evidence_run(tmp_path_factory.mktemp("runs") / "study")


def validation_of(run_folder):
    return [
        *("--scores", run_folder / "scores" / "validation_scores.csv"),
        *("--labels", run_folder / "scores" / "validation_labels.csv"),
    ]


def column_below(text, heading):
    """The cells of the first grid with this heading, one a task."""
    lines = text.splitlines()
    first = next(i for i, line in enumerate(lines) if heading in line)
    at = lines[first].index(heading)
    return [line[at:].split()[0] for line in lines[first + 2 : first + 2 + len(SHORTCUT)]]


def test_scores_inside_a_synthetic_run_are_called_synthetic_first_with_the_shortcut_beside_every_auc(
    capsys, synthetic_run
):
    status, out, _ = run(capsys, "validation", *validation_of(synthetic_run))
    assert status == 0
    assert out.startswith("! Synthetic knees: ")
    assert "no word about a real knee" in out.splitlines()[0]
    assert column_below(out, "Shortcut's AUC") == [f"{value:.3f}" for value in SHORTCUT.values()]
    assert "effusion and contusion alone" in out
    assert "Source: synthetic exams of study: validation_scores.csv, validation_labels.csv" in out
    assert "measured on the RUN's validation exams" not in out


def test_json_csv_and_figures_of_a_synthetic_run_say_so_too(capsys, synthetic_run, tmp_path):
    words = [*validation_of(synthetic_run), "--csv", tmp_path / "tables", "--figures", tmp_path / "figures", "--json"]
    status, out, _ = run(capsys, "validation", *words)
    answer = strict(out)
    assert status == 0
    assert answer["synthetic"] is True
    assert answer["warnings"][0].startswith("Synthetic knees: ")
    assert {row["task"]: row["shortcut_auc"] for row in answer["auc"]} == SHORTCUT
    tables = {path.name: pd.read_csv(path) for path in (tmp_path / "tables").iterdir()}
    assert {"auc.csv", "operating.csv", "predictive.csv", "calibration.csv"} == set(tables)
    assert all(table["synthetic"].all() for table in tables.values())
    assert tables["auc.csv"].set_index("task")["shortcut_auc"].to_dict() == SHORTCUT
    assert "synthetic exams of study" in (tmp_path / "figures" / "calibration.svg").read_text().replace("\n", " ")


def test_reads_inside_a_synthetic_run_are_called_synthetic_with_the_shortcut_beside_every_auc(
    capsys, synthetic_run, tmp_path
):
    folder = synthetic_run / "readers"
    words = ["--reads", folder / "reads.csv", "--reference", folder / "reference.csv", "--model", folder / "model.csv"]
    words += ["--replicates", 100]
    status, out, _ = run(capsys, "readers", *words)
    assert status == 0
    assert out.startswith("! Synthetic knees: computed exams and simulated readers")
    text = out[out.index("Model AUC (DeLong)") :]
    assert column_below(text, "Shortcut's AUC") == [f"{value:.3f}" for value in SHORTCUT.values()]
    status, out, _ = run(capsys, "readers", *words, "--json", "--csv", tmp_path / "tables")
    answer = strict(out)
    assert (status, answer["synthetic"]) == (0, True)
    assert "simulated readers" in answer["warnings"][0]
    assert {row["task"]: row["shortcut_auc"] for row in answer["auc"]} == SHORTCUT
    assert pd.read_csv(tmp_path / "tables" / "table2.csv")["synthetic"].all()


def test_one_table_inside_the_run_is_enough_and_other_exams_than_the_shortcuts_are_told(
    capsys, synthetic_run, score_tables
):
    scores = synthetic_run / "scores" / "validation_scores.csv"
    status, out, _ = run(capsys, "validation", "--scores", scores, "--labels", score_tables / "labels.csv")
    assert status == 0
    assert out.startswith("! Synthetic knees: ")
    assert "measured on the RUN's validation exams, not on the exams of these tables" in out.replace("\n  ", " ")


def test_tables_outside_a_run_in_a_run_of_real_knees_or_beside_another_programs_manifest_are_not_called_synthetic(
    capsys, score_tables
):
    words = ["--scores", score_tables / "scores.csv", "--labels", score_tables / "labels.csv"]
    manifest = score_tables / "manifest.json"
    for content in (None, '{"name": "a web page"}', "not JSON"):
        if content is not None:
            manifest.write_text(content)
        status, out, _ = run(capsys, "validation", *words, "--json")
        assert (status, strict(out)["synthetic"]) == (0, False)
        assert "Synthetic knees" not in out
    write_manifest(score_tables, name="real", trained_on="patients", synthetic=False)
    status, out, _ = run(capsys, "validation", *words)
    assert status == 0
    assert out.startswith("AUC (DeLong)")
    assert "Shortcut" not in out


def test_a_synthetic_run_without_a_shortcut_is_called_synthetic_all_the_same(capsys, score_tables):
    write_manifest(score_tables, name="bare", trained_on="synthetic knees", synthetic=True)
    words = ["--scores", score_tables / "scores.csv", "--labels", score_tables / "labels.csv"]
    status, out, _ = run(capsys, "validation", *words)
    assert status == 0
    assert out.startswith("! Synthetic knees: ")
    assert "hortcut" not in out


def test_labels_of_a_synthetic_cohort_make_evidence_synthetic_by_their_place_and_by_their_columns(
    capsys, score_tables, tmp_path
):
    labels = pd.read_csv(score_tables / "labels.csv").pivot(index="exam", columns="task", values="label")
    cohort = tmp_path / "cohort"
    cohort.mkdir()
    labels.to_csv(cohort / "labels.csv")
    words = ["--scores", score_tables / "scores.csv", "--labels"]

    def is_synthetic(table):
        status, out, _ = run(capsys, "validation", *words, table)
        assert status == 0
        assert ("Source: exams of a synthetic cohort: scores.csv" in out) == out.startswith("! Synthetic knees: ")
        return out.startswith("! Synthetic knees: ")

    assert not is_synthetic(cohort / "labels.csv")
    for content in ("[]", "not JSON", '{"synthetic": false}'):
        (cohort / "cohort.json").write_text(content)
        assert not is_synthetic(cohort / "labels.csv")
    (cohort / "cohort.json").write_text('{"synthetic": true}')
    assert is_synthetic(cohort / "labels.csv")
    alone = tmp_path / "exams.csv"
    labels.reset_index().reindex(columns=list(EXAMS_CSV), fill_value="").to_csv(alone, index=False)
    assert is_synthetic(alone)
    assert file_validation(score_tables / "scores.csv", TableFile("exams.csv", alone.read_bytes())).synthetic
    labels.assign(lesions="").to_csv(alone)
    assert not is_synthetic(alone)


@pytest.mark.parametrize(
    ("tuning", "words"),
    [
        ("valid", "the paper's tuning set) chose the epochs: their figures are too good."),
        ("inner", "the paper's tuning set) chose nothing: 15% of the training exams chose the epochs."),
        ("", "their figures may be too good."),
    ],
)
def test_a_runs_scores_of_its_tuning_exams_say_first_what_those_exams_chose(
    capsys, score_tables, tmp_path, tuning, words
):
    run_folder = tmp_path / "run"
    (run_folder / "scores").mkdir(parents=True)
    for name in ("scores", "labels"):
        for split in ("tuning", "validation"):
            data = (score_tables / f"{name}.csv").read_bytes()
            (run_folder / "scores" / f"{split}_{name}.csv").write_bytes(data)
    if tuning:
        (run_folder / "config.json").write_text(TrainConfig(tuning=tuning).to_json())
    write_manifest(run_folder, name="real", trained_on="MRNet-v1.0 layout", synthetic=False)
    inside = run_folder / "scores"
    for scores, labels in (
        (inside / "tuning_scores.csv", inside / "tuning_labels.csv"),
        (inside / "tuning_scores.csv", score_tables / "labels.csv"),
        (score_tables / "scores.csv", inside / "tuning_labels.csv"),
    ):
        status, out, _ = run(capsys, "validation", "--scores", scores, "--labels", labels)
        assert status == 0
        assert out.startswith("! The tuning exams (the data's valid split")
        assert words in out.replace("\n  ", " ")
        status, out, _ = run(capsys, "validation", "--scores", scores, "--labels", labels, "--json")
        assert status == 0
        assert strict(out)["notes"][0].endswith(words)
    status, out, _ = run(capsys, "validation", *validation_of(run_folder))
    assert status == 0
    assert "tuning" not in out
