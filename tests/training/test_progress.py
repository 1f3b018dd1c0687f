"""What a run shows while it trains: a line for each epoch with the time left, or a table on a terminal."""

from io import StringIO
from types import SimpleNamespace

import pytest

from mrnet_core.domain import Plane, Task
from mrnet_core.training import progress
from mrnet_core.training.loop import Event
from mrnet_core.training.progress import Display
from tests.training_runs import epoch_records

NAMES = [f"axial_{task}_seed1" for task in Task]
RECORDS = epoch_records(Plane.AXIAL, Task.ACL, 5)


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch):
    """Seconds that a test sets."""
    now = [0.0]
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def ended(name: str, epoch: int) -> Event:
    return Event(name, epoch, 30, 30, RECORDS[epoch - 1])


def test_every_line_of_a_pipe_ends_with_the_time_left_at_the_pace_so_far(clock):
    shown = StringIO()
    display = Display(NAMES, 5, shown)
    clock[0] = 600.0
    display.start()  # the trunk before took ten minutes
    display(Event(NAMES[0], 1, 15, 30))
    assert shown.getvalue() == ""
    for epoch in (1, 2):
        clock[0] += 120.0
        display(ended(NAMES[0], epoch))
    assert [line.rsplit("  ", 1)[-1] for line in shown.getvalue().splitlines()] == [
        "about 28 min left",  # 14 of 15 epochs, two minutes each
        "about 26 min left",
    ]


def test_what_a_worker_reports_at_its_jobs_end_counts_from_the_runs_start(clock):
    shown = StringIO()
    display = Display(NAMES, 1, shown)
    clock[0] = 30.0
    display(ended(NAMES[0], 1))
    assert shown.getvalue().endswith("  about 60 s left\n")
    for name in NAMES[1:]:
        display(ended(name, 1))
    assert "left" not in shown.getvalue().splitlines()[-1]


def test_networks_that_were_finished_before_are_done_and_none_of_the_time_left_is_theirs(clock):
    shown = Terminal()
    display = Display(NAMES, 5, shown, done=NAMES[:1], passed={NAMES[1]: 3})
    clock[0] = 60.0
    display(ended(NAMES[1], 4))
    lines = shown.getvalue().splitlines()
    assert lines[0].split() == [NAMES[0], "done"]
    assert lines[2].split() == [NAMES[2], "waits"]
    assert lines[3] == "about 6 min left"  # one epoch of the second, five of the third
    display(Event(NAMES[0], 5, 0, 0, words="done in 0 s"))  # as a worker of Ray says it
    assert shown.getvalue().splitlines()[-1] == "about 6 min left"
