"""The tables of a reader study as people read them."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from mrnet_core.api import evidence as api

REFERENCE = Path(__file__).resolve().parents[1] / "reference" / "inputs"
OPTIONS = api.Options(replicates=50)


def study(options=OPTIONS, reads=None):
    """The simulated study, or the same with other reads."""
    files = [REFERENCE / f"g_{name}.csv" for name in ("reads", "reference", "model")]
    if reads is not None:
        files[0] = api.TableFile("reads.csv", reads.to_csv(index=False).encode())
    return api.file_readers(*files, options=options)


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
