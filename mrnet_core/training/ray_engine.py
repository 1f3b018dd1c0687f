"""The same jobs on a Ray cluster: several GPUs or machines. Ray stands in ``requirements-ray.txt``, not in the app's.

Every machine must see the data folder and RUN under the same paths (a shared disk): jobs read and write there exactly
as the local engine's do, so the files are the same as of jobs of one thread here, on the same kind of processor. The
machine that starts the run trains the trunk, and decides for all whether jobs run on GPUs.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mrnet_core.domain import InputError, InstallationError
from mrnet_core.training.loop import Event, Job, Report, Setting, run_job

POLL_SECONDS = 1.0
ROOT = Path(__file__).resolve().parents[2]


def run_ray(
    jobs: Sequence[Job], setting: Setting, report: Report, address: str | None = None, workers: int = 0
) -> None:
    """Run every job as a Ray task with one GPU each, or one CPU and thread each where the run is on the CPU.

    Parameters
    ----------
    jobs, setting, report
        As for ``sweep.run_local``; epochs are reported as their jobs end. A job's GPU is the one that Ray gives it.
    address
        Of a cluster that is there; None starts one on this machine for the run.
    workers
        CPUs of a cluster started here (0: Ray's own choice).

    Raises
    ------
    InstallationError
        Ray is not installed, the cluster cannot be reached, or a job was lost with its worker.
    InputError
        A job failed because of its input.
    """
    try:
        # on demand: Ray is no requirement of the app
        import ray
    except ImportError as error:
        raise InstallationError(
            "Ray is not installed: pip install -r requirements-ray.txt, or leave --engine out"
        ) from error
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    environment = {"env_vars": {"PYTHONPATH": path}}
    try:
        if address:
            ray.init(address=address, runtime_env=environment, log_to_driver=False)
        else:
            ray.init(num_cpus=workers or None, runtime_env=environment, include_dashboard=False, log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise InstallationError(f"the Ray cluster {address or 'on this machine'} cannot be used: {error}") from error
    try:
        kind, _, _ = setting.device.partition(":")  # a job sees the GPU it was given alone, whatever its number
        setting = replace(setting, device=kind)
        gpus = 1 if kind == "cuda" else 0
        task = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=0)(_job)
        waiting = {task.remote(job, setting): job for job in jobs}
        while waiting:
            done, _ = ray.wait(list(waiting), num_returns=1, timeout=POLL_SECONDS)
            for reference in done:
                waiting.pop(reference)
                for event in _result(ray, reference):
                    report(event)
    finally:
        ray.shutdown()


def _result(ray, reference) -> list[Event]:
    try:
        return ray.get(reference)
    except ray.exceptions.RayError as error:  # also of a worker or a machine that was lost, which brings no cause
        cause = error.cause if isinstance(getattr(error, "cause", None), InputError | InstallationError) else None
        if cause is not None:
            raise cause from error
        raise InstallationError(f"a job on Ray failed: {error}; --resume goes on after the last whole epoch") from error


def _job(job: Job, setting: Setting) -> list[Event]:
    """Runs on a worker; only whole epochs are reported, so that the answer stays small."""
    events: list[Event] = []
    began = time.monotonic()
    run_job(job, setting, lambda event: events.append(event) if event.record is not None else None)
    events.append(Event(job.names[0], setting.config.epochs, 0, 0, words=f"done in {time.monotonic() - began:.0f} s"))
    return events
