"""The pool of workers, with workers that do what the test says instead of starting processes."""

import gc
import threading
import time
import weakref
from typing import ClassVar

import pytest

from mrnet_core.api.worker import INTERNAL_ERROR, MakeDemo
from mrnet_core.domain import InputError
from mrnet_core.ui import jobs
from mrnet_core.ui.jobs import WORKER_LOST, Job, Pool


class Process:
    """A process that lives until it is told to be lost."""

    def __init__(self):
        self.status = None

    def poll(self):
        return self.status


class ScriptedWorker:
    """Holds each job until ``release``; jobs of seed 13 lose the worker, jobs of seed 14 meet an unexpected error."""

    made: ClassVar[list["ScriptedWorker"]] = []
    release = threading.Event()
    absent: ClassVar[list[OSError]] = []
    """Why the next workers do not start."""

    def __init__(self):
        if ScriptedWorker.absent:
            raise ScriptedWorker.absent.pop()
        self.process = Process()
        ScriptedWorker.made.append(self)

    def run(self, job, threads):
        if self.process.status is not None:
            raise EOFError
        if job.request.seed == 13:
            self.process.status = 1
            raise EOFError
        if job.request.seed == 14:
            raise ValueError("DOE^JANE is no number")
        while not ScriptedWorker.release.wait(0.01):
            if job.cancel_asked is not None:
                job.state = "cancelled"
                return
        job.state = "done"

    def stop(self):
        self.process.status = 0


@pytest.fixture
def pool(monkeypatch):
    monkeypatch.setattr(jobs, "_Worker", ScriptedWorker)
    ScriptedWorker.made.clear()
    ScriptedWorker.absent.clear()
    ScriptedWorker.release = threading.Event()
    pools = []

    def make(**options):
        pools.append(Pool(**options))
        return pools[-1]

    yield make
    ScriptedWorker.release.set()
    for one in pools:
        one.close()


def a_job(seed: int = 1) -> Job:
    return Job(MakeDemo(seed, 0), model=None, files=[("a", b"bytes")])


def wait_until(condition) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, "nothing happened within 5 s"
        time.sleep(0.005)


def test_a_full_queue_refuses_one_more_with_a_sentence(pool):
    one = pool(workers=1, queue_limit=2)
    running = one.submit(a_job())
    wait_until(lambda: running.state == "running")
    one.submit(a_job())
    one.submit(a_job())
    with pytest.raises(InputError, match=r"2 exams are waiting already .* try again in a minute"):
        one.submit(a_job())


def test_a_waiting_job_knows_its_place_and_cancels_at_once(pool):
    one = pool(workers=1)
    running = one.submit(a_job())
    wait_until(lambda: running.state == "running")
    second, third = one.submit(a_job()), one.submit(a_job())
    assert [one.place(job) for job in (running, second, third)] == [0, 0, 1]
    one.cancel(second)
    assert second.state == "cancelled"
    assert second.files == []
    assert one.place(third) == 0


def test_a_running_job_is_asked_to_stop(pool):
    one = pool(workers=1)
    running = one.submit(a_job())
    wait_until(lambda: running.state == "running")
    one.cancel(running)
    wait_until(lambda: running.over)
    assert running.state == "cancelled"


def test_a_lost_worker_fails_its_job_with_a_sentence_and_the_next_job_gets_a_new_worker(pool):
    one = pool(workers=1)
    lost = one.submit(a_job(seed=13))
    wait_until(lambda: lost.over)
    assert (lost.state, lost.message, lost.at_fault) == ("failed", WORKER_LOST, "installation")
    ScriptedWorker.release.set()
    after = one.submit(a_job())
    wait_until(lambda: after.over)
    assert after.state == "done"
    assert len(ScriptedWorker.made) == 2


def test_an_unexpected_error_fails_its_job_without_its_words_and_the_next_job_is_served(pool, capfd):
    one = pool(workers=1)
    failed = one.submit(a_job(seed=14))
    wait_until(lambda: failed.over)
    assert (failed.state, failed.message, failed.at_fault) == ("failed", INTERNAL_ERROR, "installation")
    assert failed.files == []
    assert "DOE" not in capfd.readouterr().err
    ScriptedWorker.release.set()
    after = one.submit(a_job())
    wait_until(lambda: after.over)
    assert after.state == "done"
    assert len(ScriptedWorker.made) == 2


def test_a_worker_that_does_not_start_fails_the_job_that_needs_it_and_starts_for_the_next(pool):
    ScriptedWorker.absent += [OSError(12, "Cannot allocate memory")] * 2
    one = pool(workers=1)
    failed = one.submit(a_job())
    wait_until(lambda: failed.over)
    assert (failed.state, failed.at_fault) == ("failed", "installation")
    assert "does not start (Cannot allocate memory)" in failed.message
    ScriptedWorker.release.set()
    after = one.submit(a_job())
    wait_until(lambda: after.over)
    assert after.state == "done"


def test_a_worker_lost_while_it_waited_costs_no_job(pool):
    one = pool(workers=1)
    ScriptedWorker.release.set()
    wait_until(lambda: ScriptedWorker.made)
    ScriptedWorker.made[0].process.status = 1
    job = one.submit(a_job())
    wait_until(lambda: job.over)
    assert job.state == "done"
    assert len(ScriptedWorker.made) == 2


def test_the_pool_lets_go_of_a_job_and_of_its_files_once_it_is_over(pool):
    one = pool(workers=2)
    ScriptedWorker.release.set()
    job = one.submit(a_job())
    files, gone = job.files, weakref.ref(job)
    del job
    wait_until(lambda: files == [])
    wait_until(lambda: gc.collect() >= 0 and gone() is None)
