"""What one browser session holds: its job and its exam. Pixels live here and nowhere else."""

from dataclasses import dataclass, field

import streamlit as st

from mrnet_core.api.demo import DEMO_EXAMS, is_synthetic
from mrnet_core.api.viewer_data import DemoTruth
from mrnet_core.api.worker import MakeDemo, Predict, ReadUpload
from mrnet_core.domain import Exam, ExamPrediction, InputError, Plane, Task
from mrnet_core.ui.jobs import Job, shared_pool
from mrnet_core.ui.text import NO_ANSWER, STILL_READING
from mrnet_core.ui.viewer import VIEW_PARAMETERS, viewer_blob

_KEY = "exam_session"


@dataclass
class ExamSession:
    """The exam page's state.

    ``uploads`` counts exams: it is part of the uploader's and the viewer's keys, so that a new exam meets fresh
    widgets.
    """

    uploads: int = 0
    job: Job | None = None
    exam: Exam | None = None
    truth: DemoTruth | None = None
    prediction: ExamPrediction | None = None
    demo: str | None = None
    problem: str = ""
    _blob: tuple[tuple, bytes] | None = field(default=None, repr=False)
    """The viewer's bytes with the objects they were made from."""

    def start(self, request: ReadUpload | MakeDemo | Predict, files: list[tuple[str, bytes]] | None = None) -> None:
        """Forget the answer at hand and put new work in the queue; a full queue becomes the page's problem line."""
        self.cancel()
        self.problem, self.prediction = "", None
        if not isinstance(request, Predict):
            self.exam = self.truth = self._blob = None
            self.uploads += 1
        job = Job(request, model=None, files=files or [])
        try:
            self.job = shared_pool().submit(job)
        except InputError as error:
            self.job, self.problem = None, str(error)

    def take(self) -> bool:
        """Move what the job has finished into the session; True when the page has something new to draw."""
        job = self.job
        if job is None:
            return False
        changed = False
        if job.exam is not None and self.exam is None:
            self.exam, self.truth, changed = job.exam, job.truth, True
        if job.over:
            if job.prediction is not None:
                self.prediction = job.prediction
            if job.state == "failed":
                self.problem = job.message
            self.job, changed = None, True
        return changed

    def cancel(self) -> None:
        """Stop the job; an exam that was read already stays."""
        if self.job is not None:
            shared_pool().cancel(self.job)

    def again(self) -> None:
        """Run the networks once more on the exam at hand."""
        if self.exam is not None:
            self.start(Predict(self.exam))

    def forget(self) -> None:
        """Drop the exam, its answer and its job; nothing of it stays in this session or in the address."""
        self.cancel()
        self.job = self.exam = self.truth = self.prediction = self.demo = self._blob = None
        self.problem = ""
        self.uploads += 1
        st.query_params.clear()

    def blob(self) -> bytes:
        """The exam as the viewer gets it; made anew only when the exam or its answer changed."""
        made_from = (self.exam, self.prediction, self.truth, self.job is None)
        if self._blob is None or any(a is not b for a, b in zip(self._blob[0], made_from, strict=True)):
            waiting = NO_ANSWER if self.job is None else STILL_READING
            self._blob = made_from, viewer_blob(self.exam, self.prediction, self.first_task, self.truth, waiting)
        return self._blob[1]

    @property
    def first_task(self) -> Task:
        """The task whose heatmaps show first: the demo exam's own lesion, else the ACL."""
        return Task.MENISCUS if self.demo == "meniscus" else Task.ACL


def exam_session() -> ExamSession:
    """This browser session's exam state."""
    if _KEY not in st.session_state:
        st.session_state[_KEY] = ExamSession()
    return st.session_state[_KEY]


def wanted_demo() -> str | None:
    """The demo exam that the address asks for (``/exam?demo=acl``), unless it is the one at hand."""
    name = st.query_params.get("demo")
    if name is None or name == exam_session().demo:
        return None
    return name if any(entry.name == name for entry in DEMO_EXAMS) else None


def open_demo(name: str) -> None:
    """Start on a demo exam and put it in the address; a view in the address stays only if it came with this demo."""
    entry = next(entry for entry in DEMO_EXAMS if entry.name == name)
    session = exam_session()
    session.start(MakeDemo(entry.seed, entry.k, entry.pathology))
    session.demo = name
    if st.query_params.get("demo") != name:
        for parameter in VIEW_PARAMETERS:
            st.query_params.pop(parameter, None)
        st.query_params["demo"] = name


def choose_series(plane: Plane, uid: str) -> None:
    """Take another series in a plane and run the networks again."""
    session = exam_session()
    if session.exam is not None:
        session.exam = session.exam.choose(plane, uid)
        session.start(Predict(session.exam))


def exam_title(session: ExamSession) -> str:
    """The heading over an exam: no name of a person or a file, and synthetic called synthetic."""
    if not is_synthetic(session.exam):
        if session.exam.other_body_part:
            return "Exam"
        side = session.exam.side
        return f"{side.display_name} knee exam" if side else "Knee exam"
    title = next((f": {entry.title}" for entry in DEMO_EXAMS if entry.name == session.demo), "")
    return f"Synthetic knee exam{title}"
