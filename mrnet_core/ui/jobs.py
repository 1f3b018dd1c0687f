"""Heavy work off the page: a bounded queue before a few worker processes.

The pool knows workers and places in the queue, never what is in an exam: a job's data live in its ``Job``, which only
the session that asked holds. When a job ends, the pool drops it.
"""

import os
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from mrnet_core.api.viewer_data import DemoTruth
from mrnet_core.api.worker import (
    INTERNAL_ERROR,
    Begin,
    Cancel,
    Failed,
    MakeDemo,
    Predict,
    Predicted,
    Read,
    ReadUpload,
    Ready,
    Stage,
)
from mrnet_core.domain import Exam, ExamPrediction, InputError, InstallationError

WORKERS = 2
"""Measured for eight exams at once on two cores (design decision): more workers only share the same cores."""
QUEUE_LIMIT = 16
"""Jobs waiting; one more is refused with a sentence, so that memory stays bounded."""
CANCEL_GRACE = 5.0
"""Seconds a worker has to stop by itself before it is replaced."""
_ROOT = Path(__file__).resolve().parents[2]

WORKER_LOST = (
    "The process that worked on this exam ended unexpectedly (out of memory, or stopped from outside). "
    "Nothing was kept; try again, with fewer files if the exam is very large."
)
WORKER_ABSENT = (
    "The process that reads exams does not start ({reason}). Nothing was kept; close other programs and try again, and "
    "if it happens again stop the app and run `python -m mrnet_core doctor`."
)


@dataclass
class Job:
    """One exam's work, as the session that asked for it sees it."""

    request: ReadUpload | MakeDemo | Predict
    model: str | None
    files: list[tuple[str, bytes]] = field(default_factory=list)
    state: str = "queued"
    """``queued``, ``running``, ``done``, ``failed`` or ``cancelled``."""
    stage: str = "Waking the reader"
    fraction: float = 0.0
    exam: Exam | None = None
    truth: DemoTruth | None = None
    prediction: ExamPrediction | None = None
    message: str = ""
    at_fault: str = ""
    cancel_asked: float | None = None
    started: float = field(default_factory=time.monotonic)
    read_seconds: float | None = None
    total_seconds: float | None = None
    timeline: list[tuple[str, float]] = field(default_factory=list)
    """Each stage with the second, from the start, at which it was first heard of."""

    @property
    def over(self) -> bool:
        """True once nothing more will change."""
        return self.state in ("done", "failed", "cancelled")


class Pool:
    """Worker processes and the queue before them. One a server (``shared_pool``)."""

    def __init__(self, workers: int = WORKERS, queue_limit: int = QUEUE_LIMIT) -> None:
        self._waiting: deque[Job] = deque()
        self._running: set[int] = set()
        self._changed = threading.Condition()
        self._queue_limit = queue_limit
        self._closed = False
        self._threads = [threading.Thread(target=self._keep, name=f"worker-{n}", daemon=True) for n in range(workers)]
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job) -> Job:
        """Put a job in the queue.

        Raises
        ------
        InputError
            The queue is full.
        """
        with self._changed:
            if len(self._waiting) >= self._queue_limit:
                raise InputError(
                    f"{self._queue_limit} exams are waiting already and the queue holds no more: try again in a minute."
                )
            self._waiting.append(job)
            self._changed.notify()
        return job

    def place(self, job: Job) -> int:
        """Jobs before this one in the queue; 0 when it is next or no longer waiting."""
        with self._changed:
            return next((n for n, waiting in enumerate(self._waiting) if waiting is job), 0)

    def cancel(self, job: Job) -> None:
        """Stop a job: at once while it waits, within a few seconds while it runs."""
        with self._changed:
            waiting = next((n for n, entry in enumerate(self._waiting) if entry is job), None)
            if waiting is not None:
                del self._waiting[waiting]
                job.files.clear()
                job.state = "cancelled"
            elif not job.over:
                job.cancel_asked = time.monotonic()

    def close(self) -> None:
        """End the workers (tests; a server's workers end with it)."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout=10)

    def _next(self) -> tuple[Job, int] | None:
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            if self._closed:
                return None
            job = self._waiting.popleft()
            self._running.add(id(job))
            job.state = "running"
            threads = max(1, (os.cpu_count() or 1) // len(self._running))
        return job, threads

    def _keep(self) -> None:
        """One worker's life: start it, feed it, replace it when it is lost. No error of a job may end it."""
        worker = None
        while True:
            with suppress(Exception):  # started before a job needs it; a job that needs it tries again and says why not
                worker = _alive(worker)
            taken = self._next()
            if taken is None:
                if worker is not None:
                    worker.stop()
                return
            job, threads = taken
            try:
                worker = _alive(worker)
                worker.run(job, threads)
            except Exception as error:  # noqa: BLE001  whatever it was, the job ends and the next one is served
                if worker is not None:
                    worker.stop()
                _fail(job, error)
            finally:
                with self._changed:
                    self._running.discard(id(job))
                job.files.clear()
                # The thread sleeps in _next with its locals: let go of the job, or its pixels outlive the session.
                del job, taken


def _fail(job: Job, error: Exception) -> None:
    """End a job that an error ended; an error's own words may quote the exam."""
    if job.cancel_asked is not None:
        job.state = "cancelled"
        return
    job.message, job.at_fault = INTERNAL_ERROR, "installation"
    if isinstance(error, InstallationError):
        job.message = str(error)
    elif isinstance(error, (EOFError, OSError)):
        job.message = WORKER_LOST
    else:
        print(f"pool: {type(error).__name__} in a job", file=sys.stderr, flush=True)
    job.state = "failed"


class _Worker:
    """One worker process and this end of its socket."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self.connection = Connection(ours.detach())
        environment = dict(os.environ)
        environment["PYTHONPATH"] = os.pathsep.join([str(_ROOT), *filter(None, [environment.get("PYTHONPATH")])])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mrnet_core.api.worker", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env=environment,
        )
        theirs.close()

    def run(self, job: Job, threads: int) -> None:
        """Send a job and follow it to its end; EOFError or OSError when the worker is lost."""
        self.connection.send(Begin(job.request, job.model, threads))
        for name, data in job.files:
            self.connection.send(name)
            self.connection.send_bytes(data)
        job.files.clear()
        cancel_sent = False
        while True:
            if job.cancel_asked is not None:
                if not cancel_sent:
                    self.connection.send(Cancel())
                    cancel_sent = True
                elif time.monotonic() - job.cancel_asked > CANCEL_GRACE:
                    self.process.kill()
                    raise EOFError
            if not self.connection.poll(0.05):
                continue
            event = self.connection.recv()
            if isinstance(event, Ready):
                continue
            if self._take(job, event):
                return

    def _take(self, job: Job, event) -> bool:
        """Enter one answer into the job; True when it was the last."""
        elapsed = time.monotonic() - job.started
        if isinstance(event, Stage):
            if event.words != job.stage:
                job.timeline.append((event.words, elapsed))
            job.stage, job.fraction = event.words, event.fraction
        elif isinstance(event, Read):
            job.exam, job.truth, job.read_seconds = event.exam, event.truth, elapsed
        elif isinstance(event, Predicted):
            job.prediction, job.total_seconds, job.state = event.prediction, elapsed, "done"
        elif isinstance(event, Failed):
            job.message, job.at_fault = event.message, event.at_fault
            job.state = "cancelled" if event.at_fault == "cancelled" else "failed"
        return job.over

    def stop(self) -> None:
        """End the process; closing the socket is its sign to leave."""
        self.connection.close()
        try:
            self.process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _alive(worker: _Worker | None) -> _Worker:
    """The worker at hand, or a new one where there is none or it is lost; InstallationError where none starts."""
    if worker is not None and worker.process.poll() is None:
        return worker
    try:
        return _Worker()
    except OSError as error:
        raise InstallationError(WORKER_ABSENT.format(reason=error.strerror or type(error).__name__)) from error


_pool: Pool | None = None
_pool_lock = threading.Lock()


def shared_pool() -> Pool:
    """The server's pool, started (and its workers warmed) on first use."""
    global _pool
    with _pool_lock:
        if _pool is None:
            _pool = Pool()
        return _pool
