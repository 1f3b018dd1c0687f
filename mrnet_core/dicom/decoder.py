"""This end of the decoding process: keeps one warm, gives it files, and replaces it when it is lost."""

import atexit
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from mrnet_core.dicom.limits import DEFAULT_LIMITS, MIB, Limits
from mrnet_core.domain import ExamError, InstallationError

BATCH_FILES, BATCH_BYTES = 16, 32 * MIB
"""Files, and their bytes, sent at a time; the answers follow. Few, for the bound on all frames is held between them."""
START_SECONDS = 60.0
READY = b"ready"
"""First message of the process: its libraries are imported."""
_ROOT = Path(__file__).resolve().parents[2]
LOST = "it made the decoding process fail, as damaged or hostile files do"
SLOW = "it takes longer to decode than a DICOM file may"


@dataclass(frozen=True)
class Task:
    """One file's work: what to ask (plain values) and the file's bytes."""

    ask: dict
    data: bytes


@dataclass(frozen=True)
class Answer:
    """The process's answer about one file, with raw parts."""

    said: dict
    parts: tuple[bytes, ...] = ()


class _Lost(Exception):
    """The process ended or hung; ``answers`` came before."""

    def __init__(self, answers: list[Answer], reason: str) -> None:
        super().__init__(reason)
        self.answers, self.reason = answers, reason


class Decoder:
    """One decoding process, started on first use; safe to call from several threads (one at a time is served)."""

    module = "mrnet_core.dicom.child"

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._process: subprocess.Popen | None = None
        self._connection: Connection | None = None
        self._ready = False

    def start(self) -> None:
        """Begin to start the process and return at once; the first answer waits for it."""
        with self._lock:
            self._ensure()

    def ask(self, do: str, tasks: Iterable[Task], shared: dict) -> Iterator[Answer]:
        """Answers in the order of ``tasks``. A file that kills the process is answered with ``bad``, the rest go on.

        Raises
        ------
        ExamError
            More files killed it than the limits allow.
        InstallationError
            It does not start.
        """
        losses = _Losses(self._limits.losses)
        for batch in _batches(tasks):
            with self._lock:
                answers = self._answers(do, batch, shared, losses)
            yield from answers

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._stop()

    def _answers(self, do: str, batch: list[Task], shared: dict, losses: "_Losses") -> list[Answer]:
        answers: list[Answer] = []
        together = True
        while len(answers) < len(batch):
            rest = batch[len(answers) :] if together else batch[len(answers) : len(answers) + 1]
            try:
                answers += self._exchange(do, rest, shared)
            except _Lost as lost:
                answers += lost.answers
                if len(rest) > 1:
                    together = False  # its threads work ahead: only alone is it sure which file was the one
                else:
                    answers.append(Answer({"kind": "bad", "reason": lost.reason}))
                    losses.add()
        return answers

    def _exchange(self, do: str, tasks: list[Task], shared: dict) -> list[Answer]:
        answers: list[Answer] = []
        connection = self._ensure()
        request = shared | {
            "do": do,
            "parts": len(tasks),
            "limits": asdict(self._limits),
            "files": [task.ask for task in tasks],
        }
        try:
            self._await_start(connection)
            connection.send_bytes(json.dumps(request).encode())
            for task in tasks:
                connection.send_bytes(task.data)
            while len(answers) < len(tasks):
                frames = len(tasks[len(answers)].ask.get("frames", ()))
                patience = self._limits.seconds + self._limits.frame_seconds * frames
                said = json.loads(self._receive(connection, patience))
                parts = tuple(self._receive(connection, patience) for _ in range(said["parts"]))
                answers.append(Answer(said, parts))
        except TimeoutError as error:
            self._stop()
            raise _Lost(answers, SLOW) from error
        except (EOFError, OSError, ValueError) as error:
            self._stop()
            raise _Lost(answers, LOST) from error
        return answers

    def _await_start(self, connection: Connection) -> None:
        if self._ready:
            return
        try:
            self._ready = connection.poll(START_SECONDS) and connection.recv_bytes(64) == READY
        except (EOFError, OSError):
            self._ready = False
        if not self._ready:
            self._stop()
            raise InstallationError(
                "the decoding process does not start (a library is missing or broken): "
                "run `python -m mrnet_core doctor`"
            )

    def _receive(self, connection: Connection, patience: float) -> bytes:
        if not connection.poll(patience):
            raise TimeoutError
        return connection.recv_bytes(self._limits.file_bytes * 2)

    def _ensure(self) -> Connection:
        if self._process is not None and self._process.poll() is None and self._connection is not None:
            return self._connection
        self._stop()
        ours, theirs = socket.socketpair()
        environment = dict(os.environ) | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
        environment["PYTHONPATH"] = os.pathsep.join([str(_ROOT), *filter(None, [environment.get("PYTHONPATH")])])
        try:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", self.module),
                    *(str(theirs.fileno()), str(self._limits.child_bytes), str(self._limits.seconds)),
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # a traceback may quote a file
                env=environment,
            )
        except OSError as error:
            ours.close()
            raise InstallationError(f"the decoding process cannot be started: {error.strerror}") from error
        finally:
            theirs.close()
        self._connection = Connection(ours.detach())
        return self._connection

    def _stop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._connection = self._process = None
        self._ready = False


class _Losses:
    """How many files of one reading killed the process."""

    def __init__(self, most: int) -> None:
        self._most, self._count = most, 0

    def add(self) -> None:
        """Count one; ExamError when they are too many."""
        self._count += 1
        if self._count > self._most:
            raise ExamError(
                f"more than {self._most} files made the decoding process fail: the files are damaged or hostile, and "
                "nothing was read; export the exam again"
            )


def _batches(tasks: Iterable[Task]) -> Iterator[list[Task]]:
    batch: list[Task] = []
    size = 0
    for task in tasks:
        if batch and (len(batch) >= BATCH_FILES or size + len(task.data) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(task)
        size += len(task.data)
    if batch:
        yield batch


_shared: Decoder | None = None
_shared_lock = threading.Lock()


def shared_decoder() -> Decoder:
    """This process's warm decoder, made on first use and ended with the process."""
    global _shared
    with _shared_lock:
        if _shared is None:
            _shared = Decoder()
            atexit.register(_shared.close)
        return _shared
