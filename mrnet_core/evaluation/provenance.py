"""Where numbers come from: one line under every figure and slide."""

from dataclasses import dataclass
from datetime import date

from mrnet_core import __version__

SYNTHETIC = (
    "Synthetic knees: computed exams, no patients. This shows how the analysis works; no word about a real knee."
)
SYNTHETIC_READERS = SYNTHETIC.replace(
    "computed exams, no patients", "computed exams and simulated readers, no patients"
)
"""What is said first of evidence from a RUN folder of synthetic knees."""


@dataclass(frozen=True)
class Provenance:
    """Source of the data, model behind it, size of the sample, and the day and version of the computation."""

    source: str
    model: str
    n: str
    version: str = __version__
    date: str = ""

    def line(self) -> str:
        """The whole provenance as one line."""
        parts = [
            f"Source: {self.source}",
            f"model: {self.model}" if self.model else "",
            f"n: {self.n}" if self.n else "",
        ]
        parts += [f"mrnet-core {self.version}", self.date]
        return " · ".join(part for part in parts if part)


UNKNOWN = Provenance("not stated", "", "")


def today(source: str, model: str, n: str) -> Provenance:
    """Provenance of something computed today."""
    return Provenance(source, model, n, date=date.today().isoformat())
