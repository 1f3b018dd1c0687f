"""The exam page's states, run by Streamlit's own test runner; its pictures are looked at in tests/e2e."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFile
from streamlit.testing.v1 import AppTest

from mrnet_core.api.viewer_data import DemoTruth
from mrnet_core.api.worker import MakeDemo, Predict, ReadUpload
from mrnet_core.domain import (
    Exam,
    ExamPrediction,
    Heatmap,
    InputError,
    ModelInfo,
    Plane,
    RefusedSeries,
    Series,
    SeriesScore,
    SkippedFile,
    Task,
    Window,
)
from mrnet_core.ui import session as session_module
from mrnet_core.ui import upload as upload_module
from mrnet_core.ui.session import ExamSession
from mrnet_core.ui.text import RESEARCH_NOTICE, SYNTHETIC_ON_REAL

PAGE = str(Path(__file__).resolve().parents[2] / "pages" / "exam.py")


class Queue:
    """Stands in for the pool: keeps jobs, does nothing with them."""

    def __init__(self, full: bool = False):
        self.jobs, self.cancelled, self.full = [], [], full

    def submit(self, job):
        if self.full:
            raise InputError("16 exams are waiting already: try again in a minute.")
        self.jobs.append(job)
        return job

    def cancel(self, job):
        self.cancelled.append(job)

    def place(self, job):
        return 0


@pytest.fixture
def queue(monkeypatch):
    pool = Queue()
    monkeypatch.setattr(session_module, "shared_pool", lambda: pool)
    monkeypatch.setattr("mrnet_core.ui.progress.shared_pool", lambda: pool)
    monkeypatch.setattr("mrnet_core.ui.upload.shared_pool", lambda: pool)
    return pool


def a_series(plane: Plane, description: str = "DOE JANE SAG", uid: str = "", synthetic: bool = False) -> Series:
    pixels = np.zeros((5, 32, 32), np.int16)
    uid = uid or f"1.2.{list(Plane).index(plane)}"
    given = (description, uid, "best for its plane", Window(1.0, 2.0))
    return Series(plane, pixels, 0.5, 0.5, 3.0, *given, synthetic=synthetic)


def an_exam(description: str = "DOE JANE SAG", synthetic: bool = False, **more) -> Exam:
    return Exam({plane: a_series(plane, description, synthetic=synthetic) for plane in Plane}, **more)


def a_prediction(exam: Exam, synthetic: bool = True, warnings: tuple[str, ...] = ()) -> ExamPrediction:
    scores = tuple(
        SeriesScore(plane, task, 0.1 * (n + 1), Heatmap(plane, task, np.zeros((5, 7, 7), np.float32)))
        for plane in exam.planes
        for n, task in enumerate(Task)
    )
    info = ModelInfo("demo", "synthetic knees" if synthetic else "MRNet-v1.0", synthetic, "torch", "1")
    return ExamPrediction({Task.ABNORMAL: 0.9, Task.ACL: 0.2, Task.MENISCUS: 0.4}, scores, exam.planes, info, warnings)


def open_page(state: ExamSession | None = None, **address) -> AppTest:
    page = AppTest.from_file(PAGE, default_timeout=20)
    if state is not None:
        page.session_state["exam_session"] = state
    for name, value in address.items():
        page.query_params[name] = value
    page.run()
    assert not page.exception
    return page


def html(page: AppTest) -> str:
    """The page's own HTML, without the style sheet."""
    return "\n".join(element.proto.body for element in page.get("html") if "<style>" not in element.proto.body)


def notes(page: AppTest, kind: str) -> list[str]:
    """Lines of the boxes of one kind."""
    boxes = re.findall(rf'<ul class="mr-note {kind}"[^>]*>(.*?)</ul>', html(page))
    return [line for box in boxes for line in re.findall("<li>(.*?)</li>", box)]


def session_of(page: AppTest) -> ExamSession:
    return page.session_state["exam_session"]


def test_without_an_exam_the_page_offers_the_uploader_and_four_demo_exams(queue):
    page = open_page()
    assert page.title[0].value == "Read a knee exam"
    assert len(page.get("file_uploader")) == 1
    assert [button.label for button in page.button] == ["Normal knee", "ACL tear", "Meniscal tear", "Hard negative"]
    assert RESEARCH_NOTICE in html(page)
    assert queue.jobs == []


def test_a_demo_button_starts_its_exam_and_puts_it_in_the_address(queue):
    page = open_page()
    page.button(key="demo_meniscus").click().run()
    (job,) = queue.jobs
    assert isinstance(job.request, MakeDemo)
    assert job.request.pathology == "meniscus"
    assert page.query_params["demo"] == "meniscus"
    assert [button.label for button in page.button] == ["Cancel"]


def test_the_address_starts_its_demo_once_and_not_again_on_the_next_run(queue):
    page = open_page(demo="acl")
    page.run()
    assert [job.request.pathology for job in queue.jobs] == ["acl"]


def test_an_unknown_demo_in_the_address_is_passed_over(queue):
    page = open_page(demo="../../etc/passwd")
    assert queue.jobs == []
    assert page.title[0].value == "Read a knee exam"


def test_another_demo_in_the_address_replaces_the_one_at_hand(queue):
    exam = an_exam("SYNTHETIC SAG", synthetic=True)
    page = open_page(ExamSession(exam=exam, prediction=a_prediction(exam), demo="acl"), demo="normal")
    assert [job.request.pathology for job in queue.jobs] == ["normal"]
    assert session_of(page).exam is None


def test_a_full_queue_is_one_sentence_on_the_page(queue):
    queue.full = True
    page = open_page()
    page.button(key="demo_acl").click().run()
    assert notes(page, "mr-error") == ["16 exams are waiting already: try again in a minute."]
    assert len(page.get("file_uploader")) == 1


@pytest.mark.parametrize("description", ["DOE JANE SAG", "Synthetic T2 (MAGiC)"])
def test_a_synthetic_model_on_a_real_knee_is_an_alarm_and_stands_beside_each_number(queue, description):
    exam = an_exam(description)
    words = html(open_page(ExamSession(exam=exam, prediction=a_prediction(exam))))
    assert words.count('role="alert"') == 1
    assert SYNTHETIC_ON_REAL in words
    assert words.count("says nothing about this knee</span>") == len(Task)


def test_a_synthetic_model_on_a_synthetic_knee_is_a_quiet_tag_beside_each_number(queue):
    exam = an_exam("SYNTHETIC SAG", synthetic=True)
    words = html(open_page(ExamSession(exam=exam, prediction=a_prediction(exam), truth=DemoTruth("none"))))
    assert "mr-alarm" not in words
    assert words.count(">synthetic model</span>") == len(Task)


def test_another_body_part_is_an_alarm_and_stands_beside_each_number_whatever_the_model(queue):
    exam = an_exam(other_body_part="brain<br>")
    words = html(open_page(ExamSession(exam=exam, prediction=a_prediction(exam, synthetic=False))))
    assert words.count('role="alert"') == 1
    assert words.count("the study says brain&lt;br&gt;, not knee</span>") == len(Task)


def test_words_from_a_file_stay_words_and_never_become_a_picture_or_a_link(queue):
    evil = "![x](https://example.org/x.png) <img src='https://example.org/y.png'>"
    exam = an_exam(warnings=(evil,), other_body_part=None)
    page = open_page(ExamSession(exam=exam, prediction=a_prediction(exam), problem=evil))
    shown = "![x](https://example.org/x.png) &lt;img src='https://example.org/y.png'&gt;"
    assert notes(page, "mr-warn") == notes(page, "mr-error") == [shown]
    assert not any("example.org" in element.value for element in page.markdown)
    assert not page.warning
    assert not page.error


def test_a_real_model_on_a_real_knee_needs_no_alarm(queue):
    exam = an_exam()
    words = html(open_page(ExamSession(exam=exam, prediction=a_prediction(exam, synthetic=False))))
    assert "mr-alarm" not in words
    assert "mr-tag" not in words


def test_each_card_holds_the_probability_and_each_planes_own(queue):
    exam = an_exam()
    words = html(open_page(ExamSession(exam=exam, prediction=a_prediction(exam))))
    assert 'data-task="acl" data-probability="0.200000"' in words
    assert words.count("3 planes joined</small>") == 3
    assert words.count("<span>0.20</span>") == 3  # the ACL networks of the three planes


def test_with_one_plane_the_card_says_that_it_is_one_networks_answer(queue):
    exam = Exam({Plane.AXIAL: a_series(Plane.AXIAL)})
    prediction = a_prediction(exam, warnings=("No sagittal and no coronal series.",))
    page = open_page(ExamSession(exam=exam, prediction=prediction))
    assert "the axial network alone" in html(page)
    assert notes(page, "mr-warn") == ["No sagittal and no coronal series."]


def test_names_and_uids_stay_hidden_until_a_person_asks(queue):
    refused = (RefusedSeries("DOE JANE LOCALIZER", "1.2.99", 3, "three orientations in one series"),)
    others = {Plane.CORONAL: (a_series(Plane.CORONAL, uid="1.2.77"),)}
    exam = an_exam(refused=refused, skipped=(SkippedFile(16, "no DICOM file"),), alternatives=others)
    page = open_page(ExamSession(exam=exam, prediction=a_prediction(exam)))
    assert "DOE" not in html(page)
    assert "1.2." not in html(page)
    assert not any("1.2." in box.key for box in page.selectbox)
    assert "<td>not taken</td><td>3</td><td>three orientations in one series</td></tr>" in html(page)
    assert "<td>17</td><td>no DICOM file</td>" in html(page)
    page.toggle(key="show_identity").set_value(True).run()
    assert "<td>DOE JANE LOCALIZER</td><td>1.2.99</td></tr>" in html(page)


def test_a_runner_up_can_be_chosen_by_hand_and_the_networks_run_again(queue):
    other = replace(a_series(Plane.CORONAL, uid="1.2.77"), reason="the runner-up")
    exam = an_exam(alternatives={Plane.CORONAL: (other,)})
    page = open_page(ExamSession(exam=exam, prediction=a_prediction(exam)))
    box = page.selectbox(key="choose_coronal_0_0")
    box.set_value("1.2.77").run()
    (job,) = queue.jobs
    assert isinstance(job.request, Predict)
    assert job.request.exam.series[Plane.CORONAL].uid == "1.2.77"
    assert session_of(page).prediction is None


def test_remove_exam_forgets_everything_and_clears_the_address(queue):
    exam = an_exam("SYNTHETIC SAG", synthetic=True)
    state = ExamSession(exam=exam, prediction=a_prediction(exam), truth=DemoTruth("none"), demo="acl")
    page = open_page(state, demo="acl", slices="sagittal-3")
    next(button for button in page.button if button.label == "Remove exam").click().run()
    after = session_of(page)
    assert (after.exam, after.truth, after.prediction, after.demo, after._blob) == (None,) * 5
    assert not page.query_params
    assert page.title[0].value == "Read a knee exam"
    assert queue.jobs == []


def test_an_exam_whose_networks_failed_stays_and_can_be_tried_again(queue):
    page = open_page(ExamSession(exam=an_exam(), problem="artifacts/demo is damaged: get it again."))
    assert notes(page, "mr-error") == ["artifacts/demo is damaged: get it again."]
    next(button for button in page.button if button.label == "Run the networks again").click().run()
    assert isinstance(queue.jobs[0].request, Predict)


@pytest.fixture
def kept(monkeypatch):
    """What the server keeps of uploads, by the uploader's own names for them."""
    kept = {}
    add, remove = MemoryUploadedFileManager.add_file, MemoryUploadedFileManager.remove_file

    def spy_add(self, session_id, file):
        kept[file.file_id] = bytes(file.data)
        add(self, session_id, file)

    def spy_remove(self, session_id, file_id):
        kept.pop(file_id, None)
        remove(self, session_id, file_id)

    monkeypatch.setattr(MemoryUploadedFileManager, "add_file", spy_add)
    monkeypatch.setattr(MemoryUploadedFileManager, "remove_file", spy_remove)
    return kept


def test_an_upload_goes_to_a_worker_and_the_uploaders_own_copy_is_purged(queue, kept):
    page = open_page(demo="nothing", slices="sagittal-3")
    page.file_uploader[0].set_value([("exam.zip", b"PK", "application/zip"), ("b.dcm", b"\x00", "")])
    assert kept == {}
    page.run()
    (job,) = queue.jobs
    assert job.request == ReadUpload(files=2)
    assert job.files == [("exam.zip", b"PK"), ("b.dcm", b"\x00")]
    assert kept == {}
    assert not page.query_params
    page.run()
    assert len(queue.jobs) == 1


def test_files_that_are_too_much_together_are_refused_before_they_are_copied_and_purged(queue, kept, monkeypatch):
    monkeypatch.setattr(upload_module, "LARGEST_UPLOAD", 3 << 20)
    monkeypatch.setattr(UploadedFile, "getvalue", lambda self: pytest.fail("the files were copied"))
    page = open_page()
    page.file_uploader[0].set_value([(name, bytes(2 << 20), "") for name in ("a.dcm", "b.dcm")]).run()
    assert not page.exception
    assert queue.jobs == []
    assert kept == {}
    (line,) = notes(page, "mr-error")
    assert (
        line
        == "The files are 4 MB together, and an exam may have 3 MB: drop the zip, files or folder of one exam only."
    )
    assert len(page.get("file_uploader")) == 1


def late_look():
    """A page whose job was over before its progress was asked for again."""
    import streamlit as st

    from mrnet_core.ui.progress import follow_job

    if "drawn" in st.session_state:
        st.write("The page, drawn anew")
    else:
        st.session_state.drawn = True
        follow_job()


def test_a_look_at_progress_that_comes_after_the_job_draws_the_page_anew(queue):
    page = AppTest.from_function(late_look, default_timeout=60).run()
    assert [one.value for one in page.markdown] == ["The page, drawn anew"]
