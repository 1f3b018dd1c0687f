"""The last layer on the features of a trunk that stays as it is: a convex problem, solved rather than descended.

A linear layer on 256 pooled features of some hundred exams overfits at once, so it is held back by an L2 penalty whose
strength the tuning exams choose.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from mrnet_core.training.network import figures

STRENGTHS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)
"""Inverse penalties that are tried (scikit-learn's C, on features of unit variance)."""


@dataclass(frozen=True)
class Head:
    """A linear layer: ``weight`` ``(256,)``, ``bias``; ``strength``: the inverse penalty it was fitted with."""

    weight: NDArray[np.float64]
    bias: float
    strength: float

    def logits(self, features: NDArray) -> NDArray[np.float64]:
        """``(exams,)`` from ``(exams, 256)``."""
        return features @ self.weight + self.bias


def fit_head(features: NDArray, labels: NDArray, weights: tuple[float, float], strength: float) -> Head:
    """Weighted logistic regression with an L2 penalty on standardised features, folded back to the raw ones.

    Parameters
    ----------
    features
        ``(exams, 256)``.
    labels
        ``(exams,)`` 0 or 1, both present.
    weights
        Of a negative and of a positive exam.
    strength
        scikit-learn's C.
    """
    features = np.asarray(features, np.float64)
    mean, sd = features.mean(axis=0), features.std(axis=0)
    sd = np.where(sd > 1e-6 * max(float(sd.max()), 1e-12), sd, np.inf)  # a dead map gets no weight
    model = LogisticRegression(C=strength, max_iter=2000, tol=1e-6)
    model.fit((features - mean) / sd, labels.astype(int), np.where(labels == 1, weights[1], weights[0]))
    weight = model.coef_[0] / sd
    return Head(weight, float(model.intercept_[0] - mean @ weight), strength)


def choose_head(
    training: tuple[NDArray, NDArray], tuning: tuple[NDArray, NDArray], weights: tuple[float, float]
) -> Head:
    """The head of the strength with the lowest tuning loss; each argument is features and labels."""
    heads = [fit_head(*training, weights, strength) for strength in STRENGTHS]
    losses = [figures(head.logits(tuning[0]), tuning[1], weights)["loss"] for head in heads]
    return heads[int(np.argmin(losses))]


@torch.no_grad()
def put_into(head: Head, layer: torch.nn.Linear) -> None:
    """Copy a head into a network's last layer."""
    layer.weight.copy_(torch.from_numpy(head.weight)[None])
    layer.bias.fill_(head.bias)
