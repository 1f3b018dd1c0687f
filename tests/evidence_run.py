"""A RUN folder with the evidence of a simulated study: scores, labels, the shortcut's AUC and nine readers' reads.

The tables are the oracle's (``tests/reference/inputs/g_*.csv``), so that R's answers to them are known.
"""

import json
from pathlib import Path

import pandas as pd

from mrnet_core.store import write_manifest, write_whole

INPUTS = Path(__file__).parent / "reference" / "inputs"
EXPECTED = Path(__file__).parent / "reference" / "expected"
SHORTCUT = {"abnormal": 0.713, "acl": 0.661, "meniscus": 0.584}


def make_evidence_run(folder: Path) -> Path:
    """Write the RUN; it says of itself that it is synthetic."""
    labels = pd.read_csv(INPUTS / "g_reference.csv")[["exam", "task", "majority"]]
    write_whole(folder / "scores/validation_scores.csv", (INPUTS / "g_model.csv").read_bytes())
    write_whole(
        folder / "scores/validation_labels.csv", labels.rename(columns={"majority": "label"}).to_csv(index=False)
    )
    tasks = [{"task": task, "auc": value, "n_pos": 1, "n_neg": 1, "note": ""} for task, value in SHORTCUT.items()]
    write_whole(folder / "scores/shortcut.json", json.dumps({"tasks": tasks}))
    for name in ("reads", "reference", "model"):
        write_whole(folder / "readers" / f"{name}.csv", (INPUTS / f"g_{name}.csv").read_bytes())
    write_manifest(folder, name="study", trained_on="synthetic knees", synthetic=True)
    return folder
