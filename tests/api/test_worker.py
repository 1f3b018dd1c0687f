"""A worker's answers, with the two ends of its socket in one process and a reader that the test writes."""

import gc
import sys
import threading
import time
import weakref
from multiprocessing import Pipe
from types import SimpleNamespace

import numpy as np
import pytest

from mrnet_core import api
from mrnet_core.api import worker
from mrnet_core.api.viewer_data import DemoTruth
from mrnet_core.api.worker import Begin, Cancel, Failed, MakeDemo, Predict, Predicted, Read, ReadUpload, Ready, Stage
from mrnet_core.domain import ArtifactError, Exam, ExamError, Plane, Series, Window

EXAM = Exam(
    {Plane.AXIAL: Series(Plane.AXIAL, np.zeros((2, 4, 4), np.int16), 1.0, 1.0, 1.0, "", "", "", Window(0.0, 1.0))}
)
TRUTH = DemoTruth("nothing is wrong with it")


def rooms(**given):
    """The functions of ``mrnet_core.api.exams`` that a worker calls."""
    usual = {
        "UploadedFile": lambda name, data: (name, data),
        "open_exam": lambda files, choices, side, progress: EXAM,
        "demo_exam": lambda seed, k, pathology, progress: (EXAM, TRUTH),
        "load_predictor": lambda model=None: "predictor",
        "predict_exam": lambda exam, predictor, progress: ("answer", predictor),
    }
    return SimpleNamespace(**(usual | given))


def answer(request, exams, before=(), parts=()):
    """What the app's end receives for one job: events on the way, and the last one."""
    app, ours = Pipe()
    for part in parts:
        app.send(part[0])
        app.send_bytes(part[1])
    for message in before:
        app.send(message)
    last = worker._answer(ours, exams, Begin(request, None, 1))
    events = []
    while app.poll():
        events.append(app.recv())
    assert not ours.poll(), "something was left in the socket"
    return events, last


def test_an_upload_is_read_then_predicted_and_the_exam_comes_before_the_answer():
    seen = []
    exams = rooms(open_exam=lambda files, choices, side, progress: seen.extend(files) or EXAM)
    events, last = answer(ReadUpload(files=2), exams, parts=[("a", b"1"), ("b", b"22")])
    assert seen == [("a", b"1"), ("b", b"22")]
    assert [type(event) for event in events] == [Read]
    assert events[0].truth is None
    assert last == Predicted(("answer", "predictor"))


def test_a_demo_brings_its_truth_along():
    events, last = answer(MakeDemo(1, 2, "acl"), rooms())
    assert events[0].truth == TRUTH
    assert isinstance(last, Predicted)


def test_an_exam_at_hand_is_predicted_without_being_sent_back():
    events, last = answer(Predict(EXAM), rooms())
    assert events == []
    assert isinstance(last, Predicted)


@pytest.mark.parametrize(
    ("error", "at_fault"), [(ExamError("no series; give three"), "input"), (ArtifactError("damaged"), "installation")]
)
def test_errors_on_purpose_are_answered_with_their_own_sentence(error, at_fault):
    def fail(*_, **__):
        raise error

    _, last = answer(ReadUpload(files=0), rooms(open_exam=fail))
    assert last == Failed(str(error), at_fault)


def test_an_unexpected_error_is_answered_without_quoting_the_exam(capfd):
    def fail(*_, **__):
        raise ValueError("DOE^JANE is no number")

    _, last = answer(ReadUpload(files=0), rooms(open_exam=fail))
    assert last == Failed(worker.INTERNAL_ERROR, "installation")
    assert "DOE" not in capfd.readouterr().err


def test_a_cancel_is_obeyed_at_the_next_step_and_nothing_is_kept():
    def slow(exam, predictor, progress):
        progress("reading", 0.5)
        raise AssertionError("went on after the cancel")

    events, last = answer(Predict(EXAM), rooms(predict_exam=slow), before=[Cancel()])
    assert last == Failed("Cancelled. Nothing was kept.", "cancelled")
    assert not any(isinstance(event, Stage) for event in events)


def test_a_worker_that_cannot_start_answers_every_job_with_the_reason():
    app, ours = Pipe()
    app.send(Begin(ReadUpload(files=1), None, 1))
    app.send("name")
    app.send_bytes(b"data")
    app.send(Begin(Predict(EXAM), None, 1))
    app_end = [app]

    class Closing:
        """Closes the app's end after the second answer."""

        def __init__(self):
            self.sent = []

        def send(self, event):
            self.sent.append(event)
            if len(self.sent) == 3:
                app_end[0].close()

        recv, recv_bytes = ours.recv, ours.recv_bytes

    closing = Closing()
    with pytest.raises(EOFError):
        worker._refuse(closing, "no torch here")
    assert [type(event) for event in closing.sent[1:]] == [Failed, Failed]
    assert {event.message for event in closing.sent[1:]} == {"no torch here"}


def test_a_worker_holds_no_exam_while_it_waits_for_the_next_job(monkeypatch):
    held = []
    exams = rooms(predict_exam=lambda exam, predictor, progress: held.append(weakref.ref(exam)))
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(set_num_threads=lambda number: None))
    monkeypatch.setitem(sys.modules, "mrnet_core.api.exams", exams)
    monkeypatch.setattr(api, "exams", exams, raising=False)
    app, ours = Pipe()
    serving = threading.Thread(target=worker.serve, args=(ours,), daemon=True)
    serving.start()
    assert app.recv() == Ready()
    app.send(Begin(Predict(EXAM), None, 1))
    assert app.recv() == Predicted(None)
    deadline = time.monotonic() + 5
    while held[0]() is not None and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.01)
    assert held[0]() is None
    app.close()
    serving.join(5)
    assert not serving.is_alive()
