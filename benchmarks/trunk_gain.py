"""What the trunk is worth: nine networks from it and from random weights, several seeds, the same exams and epochs.

    python -m benchmarks.trunk_gain COHORT [--out DIR] [--seeds 1,2] [--epochs 1] [--trunk-steps 1500] [--workers 3]

COHORT: a folder of `phantom --mrnet`. Each seed trains a trunk of its own, on the cohort's training exams. All else is
the same from either start: last layers fitted first, then epochs at one rate. Prints validation AUCs with DeLong
intervals and the spread of the logit, by network, then means. A run that stopped goes on.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from mrnet_core.api.runs import Engine, train
from mrnet_core.config import TrainConfig, TrunkConfig
from mrnet_core.domain import Plane, Split, Task
from mrnet_core.stats.delong import auc
from mrnet_core.training.outcome import read_outcome


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--out", type=Path, default=Path("build/trunk_gain"))
    parser.add_argument("--seeds", default="1,2")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--trunk-steps", type=int, default=1500)
    parser.add_argument("--rate", type=float, default=TrainConfig.learning_rate, help="learning rate")
    parser.add_argument("--workers", type=int, default=0, help="jobs side by side, as in `train`")
    args = parser.parse_args()
    seeds = [int(word) for word in args.seeds.split(",")]
    found: dict[tuple, list] = {}
    for seed in seeds:
        trunk = TrunkConfig(steps=args.trunk_steps, seed=seed)
        same = {"seeds": (seed,), "epochs": args.epochs, "head_first": True, "learning_rate": args.rate, "trunk": trunk}
        settings = {
            "random": TrainConfig(initialisation="random", **same),
            "trunk": TrainConfig(initialisation="cells", **same),
        }
        for name, config in settings.items():
            run = args.out / f"{name}_{seed}"
            began = time.monotonic()
            train(args.cohort, run, config, resume=(run / "config.json").is_file(), engine=Engine(workers=args.workers))
            print(f"{name}, seed {seed}: {(time.monotonic() - began) / 60:.1f} min", file=sys.stderr)
            for plane in Plane:
                for task in Task:
                    outcome = read_outcome(run, f"{plane}_{task}_seed{seed}")[Split.VALIDATION]
                    interval = auc(outcome.labels, outcome.logits)
                    found.setdefault((task, plane, name), []).append((interval, outcome.logits.std()))
                    words = f"{interval.estimate:.3f}, SD of the logit {outcome.logits.std():.2f}"
                    print(f"  {plane} {task}: {words}", file=sys.stderr, flush=True)
    print(f"validation AUC by network; {args.epochs} epochs, seeds {args.seeds}")
    for (task, plane, name), results in found.items():
        words = "  ".join(
            f"{one.estimate:.3f} ({one.lower:.3f}-{one.upper:.3f}) SD {spread:.2f}" for one, spread in results
        )
        print(f"{task:<9} {plane:<9} {name:<7} {words}")
    for name in ("random", "trunk"):
        values = [one.estimate for (_, _, which), results in found.items() if which == name for one, _ in results]
        print(f"mean over nine networks and seeds, {name}: {np.mean(values):.3f}")


if __name__ == "__main__":
    main()
