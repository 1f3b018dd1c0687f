"""What one browser session holds: its job and its exam. Pixels live here and nowhere else."""

from dataclasses import dataclass

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from mrnet_core.api.exams import DEMO_EXAMS
from mrnet_core.api.worker import MakeDemo, Predict, ReadUpload
from mrnet_core.domain import Exam, ExamPrediction, InputError, Plane
from mrnet_core.ui.jobs import Job, shared_pool

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
    prediction: ExamPrediction | None = None
    demo: str | None = None
    problem: str = ""

    def start(self, request: ReadUpload | MakeDemo | Predict, files: list[tuple[str, bytes]] | None = None) -> None:
        """Forget the answer at hand and put new work in the queue; a full queue becomes the page's problem line."""
        self.problem, self.prediction = "", None
        if not isinstance(request, Predict):
            self.exam = None
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
            self.exam, changed = job.exam, True
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

    def forget(self) -> None:
        """Drop the exam, its answer and its job; nothing of it stays in this session."""
        self.cancel()
        self.job = self.exam = self.prediction = self.demo = None
        self.problem = ""
        self.uploads += 1


def exam_session() -> ExamSession:
    """This browser session's exam state."""
    if _KEY not in st.session_state:
        st.session_state[_KEY] = ExamSession()
    return st.session_state[_KEY]


def take_upload(widget_key: str) -> None:
    """Send what was dropped on the uploader to a worker, and purge the uploader's own copy."""
    uploaded = st.session_state.get(widget_key) or []
    if not uploaded:
        return
    files = [(file.name, file.getvalue()) for file in uploaded]
    session = exam_session()
    session.demo = None
    session.start(ReadUpload(files=len(files)), files)
    context = get_script_run_ctx()
    if context is not None:
        for file in uploaded:
            context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)
    del st.session_state[widget_key]


def show_upload() -> None:
    """The uploader: a zip or loose files, or a whole folder."""
    kind = st.segmented_control(
        "What holds the exam?", ["Zip or files", "Folder"], default="Zip or files", key="upload_kind", required=True
    )
    key = f"upload_{exam_session().uploads}_{kind}"
    st.file_uploader(
        "Drop a zip, DICOM files, or sagittal.npy, coronal.npy and axial.npy" if kind != "Folder" else "Drop a folder",
        accept_multiple_files="directory" if kind == "Folder" else True,
        key=key,
        on_change=take_upload,
        args=(key,),
        help="Up to 1 GB. The series are chosen from the DICOM attributes; other files are passed over.",
    )


def wanted_demo() -> str | None:
    """The demo exam that the address asks for (``/exam?demo=acl``), once for each address."""
    name = st.query_params.get("demo")
    session = exam_session()
    if name is None or name == session.demo or session.demo is not None:
        return None
    return name if any(entry.name == name for entry in DEMO_EXAMS) else None


def open_demo(name: str) -> None:
    """Start on a demo exam and put it in the address."""
    entry = next(entry for entry in DEMO_EXAMS if entry.name == name)
    session = exam_session()
    session.start(MakeDemo(entry.seed, entry.k, entry.pathology))
    session.demo = name
    st.query_params["demo"] = name


def choose_series(plane: Plane, uid: str) -> None:
    """Take another series in a plane and run the networks again."""
    session = exam_session()
    if session.exam is not None:
        session.exam = session.exam.choose(plane, uid)
        session.start(Predict(session.exam))
