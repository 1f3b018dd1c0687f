"""A worker process of the app: reads exams and runs the networks, away from the process that serves the pages.

Started by ``mrnet_core.ui.jobs`` as ``python -m mrnet_core.api.worker FD``; it never imports streamlit. The two ends
speak over one socket pair with the records below. Pixels come and go through that socket only; nothing is
written or logged.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from mrnet_core.api.viewer_data import DemoTruth
from mrnet_core.domain import Cancelled, Exam, ExamPrediction, MRNetError, Plane, Side

# ---- what the app sends


@dataclass(frozen=True)
class ReadUpload:
    """Read ``files`` uploaded files (each follows as a name and its bytes), then predict."""

    files: int
    choices: Mapping[Plane, str] = field(default_factory=dict)
    side: Side | None = None


@dataclass(frozen=True)
class MakeDemo:
    """Make synthetic exam ``k`` of ``seed`` with the given pathology, read it as DICOM, then predict."""

    seed: int
    k: int
    pathology: str | None = None


@dataclass(frozen=True)
class Predict:
    """Predict an exam that was read before (another series was chosen by hand)."""

    exam: Exam


@dataclass(frozen=True)
class Cancel:
    """Stop the job that is running."""


@dataclass(frozen=True)
class Begin:
    """A job: what to do, by which model (RUN folder; None: the default), with how many threads."""

    request: ReadUpload | MakeDemo | Predict
    model: str | None
    threads: int


# ---- what the worker answers


@dataclass(frozen=True)
class Ready:
    """The libraries are imported and the default model is loaded (or ``problem`` says why it is not)."""

    problem: str = ""


@dataclass(frozen=True)
class Stage:
    """Work goes on: the stage in words and the share of it that is done, 0 to 1."""

    words: str
    fraction: float


@dataclass(frozen=True)
class Read:
    """The exam is read: it can be shown while the networks run. ``truth``: of a synthetic exam made here."""

    exam: Exam
    truth: DemoTruth | None = None


@dataclass(frozen=True)
class Predicted:
    """The answer; the job is over."""

    prediction: ExamPrediction


@dataclass(frozen=True)
class Failed:
    """The job is over without an answer. ``at_fault``: ``input``, ``installation`` or ``cancelled``."""

    message: str
    at_fault: str


INTERNAL_ERROR = (
    "Something went wrong inside the app while it worked on this exam. Nothing was kept; try again, and if it "
    "happens again run `python -m mrnet_core doctor`."
)


def serve(connection: Connection) -> None:
    """Answer jobs until the other end closes, or is lost."""
    try:
        _serve(connection)
    except (EOFError, ConnectionError):
        return  # the app ended: so does its worker, whatever it was at


def _serve(connection: Connection) -> None:
    try:
        import torch  # on demand: a test of the records above needs no torch

        from mrnet_core.api import exams  # with torch, after the socket is open: a failing import is answered, not lost
    except (ImportError, OSError) as error:
        _refuse(connection, f"This installation is not whole ({error}): stop the app and run `make app` again.")
        return
    try:
        exams.load_predictor()
        connection.send(Ready())
    except MRNetError as error:
        connection.send(Ready(problem=str(error)))
    while True:
        begin = connection.recv()
        if not isinstance(begin, Begin):
            continue  # a cancel that crossed the job's own end
        torch.set_num_threads(begin.threads)
        connection.send(_answer(connection, exams, begin))
        del begin  # it may hold an exam, and nothing of one is kept while the next job is awaited


def _refuse(connection: Connection, message: str) -> None:
    """Answer every job with what is wrong here, until the other end closes."""
    connection.send(Ready(problem=message))
    while True:
        begin = connection.recv()
        if isinstance(begin, Begin):
            for _ in range(getattr(begin.request, "files", 0)):
                connection.recv()
                connection.recv_bytes()
            connection.send(Failed(message, "installation"))


def _answer(connection: Connection, exams, begin: Begin) -> Predicted | Failed:
    request = begin.request
    # Uploaded bytes are taken off the socket first: whatever happens then, the next message is a job.
    files = [(connection.recv(), connection.recv_bytes()) for _ in range(getattr(request, "files", 0))]

    def progress(words: str, fraction: float) -> None:
        if connection.poll() and isinstance(connection.recv(), Cancel):
            raise Cancelled("cancelled")
        connection.send(Stage(words, fraction))

    try:
        exam, truth = _exam(exams, request, files, progress)
        files.clear()
        if not isinstance(request, Predict):
            connection.send(Read(exam, truth))
        predictor = exams.load_predictor(begin.model)
        return Predicted(exams.predict_exam(exam, predictor, progress))
    except Cancelled:
        return Failed("Cancelled. Nothing was kept.", "cancelled")
    except MRNetError as error:
        return Failed(str(error), "input" if error.exit_status == 2 else "installation")
    except ConnectionError:
        raise  # the app is gone: nobody to answer
    except (ArithmeticError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError) as error:
        # The class is enough to look for the fault; a message may quote the exam, and logs must not.
        print(f"worker: {type(error).__name__} in a job", file=sys.stderr, flush=True)
        return Failed(INTERNAL_ERROR, "installation")


def _exam(exams, request, files, progress) -> tuple[Exam, DemoTruth | None]:
    if isinstance(request, Predict):
        return request.exam, None
    if isinstance(request, MakeDemo):
        return exams.demo_exam(request.seed, request.k, request.pathology, progress)
    uploads = [exams.UploadedFile(name, data) for name, data in files]
    return exams.open_exam(uploads, choices=request.choices, side=request.side, progress=progress), None


if __name__ == "__main__":
    # The records must be the same classes at both ends: run the module under its own name, not as __main__.
    from mrnet_core.api import worker  # after the guard: only the process started as a worker needs it

    worker.serve(Connection(int(sys.argv[1])))
