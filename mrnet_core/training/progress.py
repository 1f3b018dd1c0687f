"""One display of a run: on a terminal a table that is redrawn, elsewhere a line for each epoch; and the time left."""

import shutil
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from typing import TextIO

from mrnet_core.domain import COLLAPSED_LOGIT_SD
from mrnet_core.training.loop import Event


class Display:
    """Draws the events of a run.

    Parameters
    ----------
    networks, epochs
        The names of all its networks; how many epochs each is trained.
    done, passed
        Of a run that goes on: the networks for which nothing is left to do; the epochs behind each of the others.
    """

    def __init__(
        self,
        networks: Sequence[str],
        epochs: int,
        stream: TextIO | None = None,
        *,
        done: Collection[str] = (),
        passed: Mapping[str, int] | None = None,
    ) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._epochs = epochs
        self._last: dict[str, Event] = {}
        self._records: dict[str, dict] = {}
        self._names = list(networks)
        self._done = frozenset(done)
        self._before = dict(passed or {}) | dict.fromkeys(done, epochs)
        self._drawn = 0
        self._passed = 0.0
        self.start()

    def start(self) -> None:
        """The networks train from now on: what came before, a trunk, tells nothing of their speed."""
        self._began = time.monotonic()

    def say(self, words: str) -> None:
        """A line about something that is no network: the trunk, the regressions."""
        self._clear()
        print(words, file=self._stream, flush=True)
        self._draw()

    def __call__(self, event: Event) -> None:
        """Take in an event and draw."""
        if event.network not in self._names:
            self._names.append(event.network)
        before = self._share(event.network)
        self._last[event.network] = event
        self._passed += max(0.0, self._share(event.network) - before)
        if event.record is not None:
            self._records[event.network] = event.record
        if self._live:
            self._clear()
            self._draw()
        elif event.record is not None:
            print("  ".join(filter(None, (self._line(event.network), self._left()))), file=self._stream, flush=True)

    def _share(self, name: str) -> float:
        """Epochs passed by a network, with the share of the one that is going on."""
        event = self._last.get(name)
        if event is None:
            return float(self._before.get(name, 0))
        if event.record is not None or not event.of:
            return float(event.epoch)
        return max(0, event.epoch - 1) + event.exams / event.of

    def _line(self, name: str) -> str:
        event, record = self._last.get(name), self._records.get(name)
        if event is None and name in self._done:
            return f"{name:<26} done"
        if record is None:
            return f"{name:<26} {event.words if event and event.words else 'begins' if event else 'waits'}"
        auc = "undefined" if record["tuning_auc"] is None else f"{record['tuning_auc']:.3f}"
        collapsed = "  COLLAPSED to a constant" if record["logit_sd"] < COLLAPSED_LOGIT_SD else ""
        doing = f"  {event.words}" if event and event.words else ""
        return (
            f"{name:<26} epoch {record['epoch']:>2} of {self._epochs}  train loss {record['train_loss']:.3f}  "
            f"tuning loss {record['tuning_loss']:.3f}  AUC {auc}  {record['exams_per_second']:.1f} exams/s"
            f"{collapsed}{doing}"
        )

    def _left(self) -> str:
        """The time that the epochs to come take, at the pace so far; "" where none is left."""
        left = sum(max(0.0, self._epochs - self._share(name)) for name in self._names if name not in self._done)
        if not left:
            return ""
        if self._passed < 0.05:
            return "time left unknown yet"
        seconds = left * (time.monotonic() - self._began) / self._passed
        return f"about {seconds / 60:.0f} min left" if seconds >= 90 else f"about {seconds:.0f} s left"

    def _draw(self) -> None:
        if not self._live or not self._last:
            return
        width = shutil.get_terminal_size().columns - 1
        lines = [line[:width] for line in (*map(self._line, self._names), self._left()) if line]
        self._stream.write("\n".join(lines) + "\n")
        self._stream.flush()
        self._drawn = len(lines)

    def _clear(self) -> None:
        if self._drawn:
            self._stream.write(f"\033[{self._drawn}A\033[J")
            self._drawn = 0
