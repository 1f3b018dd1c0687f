"""Which learning rate and schedule fine-tune a trained trunk: the same exams, start and order at each setting.

    python -m benchmarks.rates COHORT --trunk FILE [--out DIR] [--settings 3e-6,1e-5,3e-5,3e-5:cosine]
                               [--planes sagittal] [--epochs 3] [--seed 1]

COHORT: a folder of `phantom --mrnet`. FILE: weights to start from, as for `train --trunk`: RUN/checkpoints/trunk.pt of
a run on this cohort, whose trunk saw its training exams only. Last layers are fitted first (epoch 0). A setting is a
rate, or rate:schedule. Prints tuning loss and AUC of every network and epoch, their means over networks, and the mean
validation AUC at the epochs that the tuning loss chose. A run that stopped goes on.
"""

import argparse
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from mrnet_core.api.runs import Engine, train
from mrnet_core.config import TrainConfig
from mrnet_core.domain import Plane, Split
from mrnet_core.training import history
from mrnet_core.training.network import network_name
from mrnet_core.training.outcome import read_outcome


def fine_tune(setting: str, args: argparse.Namespace) -> tuple[list[dict], float]:
    """The histories of one setting's networks, and their mean validation AUC."""
    rate, _, schedule = setting.partition(":")
    config = TrainConfig(
        planes=tuple(Plane(word) for word in args.planes.split(",")),
        seeds=(args.seed,),
        epochs=args.epochs,
        initialisation=str(args.trunk),
        head_first=True,
        learning_rate=float(rate),
        schedule=schedule or "constant",
    )
    run = args.out / f"{config.learning_rate:g}_{config.schedule}_seed{args.seed}"
    train(args.cohort, run, config, resume=(run / "config.json").is_file(), engine=Engine())
    names = [network_name(plane, task, args.seed) for plane in config.planes for task in config.tasks]
    outcomes = [read_outcome(run, name)[Split.VALIDATION] for name in names]
    return history.read(run), float(np.mean([roc_auc_score(one.labels, one.logits) for one in outcomes]))


def figures(records: list[dict], epochs: int) -> str:
    """Tuning loss and AUC by epoch, means over the networks in ``records``."""
    words = []
    for epoch in range(epochs + 1):
        now = [one for one in records if one["epoch"] == epoch]
        loss, auc = (np.mean([one[key] for one in now]) for key in ("tuning_loss", "tuning_auc"))
        words.append(f"{loss:.3f} ({auc:.3f})")
    return "  ".join(words)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--trunk", type=Path, required=True, help="weights to start from")
    parser.add_argument("--out", type=Path, default=Path("build/rates"))
    parser.add_argument("--settings", default="3e-6,1e-5,3e-5,3e-5:cosine")
    parser.add_argument("--planes", default="sagittal")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    print(f"tuning loss (AUC) after each epoch, epoch 0 first; seed {args.seed}")
    for setting in args.settings.split(","):
        records, validation = fine_tune(setting, args)
        for name in sorted({(one["plane"], one["task"]) for one in records}):
            mine = [one for one in records if (one["plane"], one["task"]) == name]
            print(f"{setting:<12} {' '.join(name):<18} {figures(mine, args.epochs)}")
        means = figures(records, args.epochs)
        print(f"{setting:<12} {'mean':<18} {means}; validation AUC {validation:.3f}", flush=True)


if __name__ == "__main__":
    main()
