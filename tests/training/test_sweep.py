"""Jobs in threads of one process, as on one GPU, and in processes that end with their parent."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mrnet_core.config import TrainConfig
from mrnet_core.domain import Cancelled
from mrnet_core.training import sweep
from mrnet_core.training.loop import Event, Setting

ROOT = Path(__file__).resolve().parents[2]


def test_a_job_that_fails_ends_the_others_at_their_next_report_wherever_it_stands_in_the_row(monkeypatch):
    ended = {}

    def work(job, setting, report):
        if job == 2:
            raise ValueError("no memory")
        try:
            for exams in range(200):
                time.sleep(0.01)
                report(Event(str(job), 1, exams, 200))
        except Cancelled:
            ended[job] = exams

    monkeypatch.setattr(sweep, "run_job", work)
    with pytest.raises(ValueError, match="no memory"):
        sweep._run_threads((1, 2, 3, 4), None, lambda event: None, 3)
    assert {1, 3} <= set(ended)
    assert max(ended.values()) < 100
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("networks")]


def test_reports_of_threads_come_one_at_a_time(monkeypatch):
    inside, most = [0], [0]

    def draw(event):
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        time.sleep(0.002)
        inside[0] -= 1

    def work(job, setting, report):
        for exams in range(20):
            report(Event(str(job), 1, exams, 20))

    monkeypatch.setattr(sweep, "run_job", work)
    sweep._run_threads((1, 2, 3), None, draw, 3)
    assert most == [1]


@pytest.mark.parametrize(
    ("memory", "asked", "beside"), [(139, 0, 3), (47, 0, 2), (24, 0, None), (12, 0, None), (139, 1, None), (24, 3, 3)]
)
def test_on_one_gpu_as_many_jobs_run_side_by_side_as_its_memory_holds(monkeypatch, memory, asked, beside):
    seen, alone = [], []
    monkeypatch.setattr(sweep, "_gpus", lambda word: 1)
    monkeypatch.setattr(sweep, "_memory", lambda word: memory * 2**30)
    monkeypatch.setattr(sweep, "_run_threads", lambda jobs, setting, report, workers: seen.append(setting.beside))
    monkeypatch.setattr(sweep, "run_job", lambda job, setting, report: alone.append(job))
    setting = Setting(Path("data"), Path("run"), TrainConfig(), "cuda")
    sweep.run_local(["sagittal", "coronal", "axial"], setting, lambda event: None, asked)
    assert seen == ([] if beside is None else [beside])
    assert len(alone) == (3 if beside is None else 0)


def test_a_worker_ends_when_its_parent_is_killed():
    code = """
import multiprocessing, os, time
from concurrent.futures import ProcessPoolExecutor
from mrnet_core.training.sweep import _begin_worker
if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, initializer=_begin_worker, initargs=(None,)) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        pool.submit(time.sleep, 600).result()
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True) as parent:
        worker = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    end = time.monotonic() + 20
    while alive(worker) and time.monotonic() < end:
        time.sleep(0.05)
    assert not alive(worker)


def test_ctrl_c_in_a_terminal_is_answered_by_the_parent_and_no_worker_says_a_word(tmp_path):
    code = """
import multiprocessing, signal, sys, time
from concurrent.futures import ProcessPoolExecutor
from mrnet_core.training.sweep import _begin_worker
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in a shell's background
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, context, initializer=_begin_worker, initargs=(None,)) as pool:
        jobs = [pool.submit(time.sleep, seconds) for seconds in (0.5, 0.5)]  # both workers are there then, and idle
        [job.result() for job in jobs]
        try:
            print("idle", flush=True)
            time.sleep(600)
        except KeyboardInterrupt:
            time.sleep(2)  # a worker that answers, too, has the time to say so
            for process in pool._processes.values():
                process.terminate()
"""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", code], env=environment, start_new_session=True, **pipes) as parent:
        assert parent.stdout.readline() == "idle\n"
        os.killpg(parent.pid, signal.SIGINT)
        _, said = parent.communicate(timeout=60)
    assert "SpawnProcess" not in said
    assert "KeyboardInterrupt" not in said


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
