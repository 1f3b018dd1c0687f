"""The decoding process: parses and decodes files with a bound on its memory, and may die without harm.

Started by ``decoder`` as ``python -m mrnet_core.dicom.child FD BYTES SECONDS``. The two ends speak over one socket
pair: each message is a JSON object, followed by as many raw messages as its ``parts`` say. No pickle crosses the
border, so that a decoder taken over by a hostile file can answer only with plain values.
"""

import hashlib
import json
import logging
import os
import resource
import signal
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection

import numpy as np
from pydicom import config

from mrnet_core.dicom.decode import stored_values
from mrnet_core.dicom.limits import Limits
from mrnet_core.dicom.parse import BadFile, NotDicom, parse
from mrnet_core.dicom.privacy import DIRECTORY_CLASS, describe, is_mr, sop_class, text, uid_name

THREADS = 2
"""Decoders release the interpreter's lock."""
BEAT = 0.5
"""Seconds between two looks at whether the process that started this one is still there."""
MALFORMED = "it is malformed"


def serve(connection: Connection, memory: int, seconds: float) -> None:
    """Answer until the other end closes, or its process is gone.

    Parameters
    ----------
    connection
        This end of the socket.
    memory
        Bytes of address space that may be taken beyond those in use at the start.
    seconds
        How long a decoder may hold the interpreter's lock before the process is ended.
    """
    config.settings.reading_validation_mode = config.IGNORE
    warnings.simplefilter("ignore")  # pydicom's warnings quote values, and values can name a patient
    logging.disable()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    threading.Thread(target=_watch, args=(os.getppid(), seconds), daemon=True).start()
    _bound_memory(memory)
    connection.send_bytes(b"ready")
    _answer(connection)


def _watch(parent: int, seconds: float) -> None:
    """End this process once its parent is gone: a decoder that hangs never sees that the socket is closed.

    While a decoder holds the interpreter's lock this thread stands still too; then the alarm, which it puts off at
    every beat, ends the process from outside the interpreter.
    """
    while os.getppid() == parent:
        signal.setitimer(signal.ITIMER_REAL, seconds + 4 * BEAT)
        time.sleep(BEAT)
    os._exit(1)


def _answer(connection: Connection) -> None:
    """Answer requests until the other end closes; between two requests nothing of a file is held."""
    with ThreadPoolExecutor(THREADS) as threads:
        while _answer_one(connection, threads):
            pass


def _answer_one(connection: Connection, threads: ThreadPoolExecutor) -> bool:
    """Wait for a request and answer it; False where the other end closed instead."""
    try:
        request = json.loads(connection.recv_bytes())
        parts = [connection.recv_bytes() for _ in range(request["parts"])]
    except EOFError:
        return False
    work = _inspect if request["do"] == "inspect" else _decode
    # One file's answer each, in order: a lost process has answered for the files before the bad one.
    for answer, pixels in threads.map(work, _jobs(request), parts):
        connection.send_bytes(json.dumps(answer | {"parts": len(pixels)}).encode())
        for frame in pixels:
            connection.send_bytes(np.ascontiguousarray(frame).data.cast("B"))
        del pixels
    return True


def _jobs(request: dict) -> list[dict]:
    shared = {key: value for key, value in request.items() if key != "files"}
    shared["limits"] = Limits(**request["limits"])
    return [shared | own for own in request["files"]]


def _inspect(job: dict, data: bytes) -> tuple[dict, list]:
    """What a file is: MR (with its header and frames), a DICOMDIR, other DICOM, or bad."""
    try:
        parsed = parse(data, job["limits"])
        class_uid = sop_class(parsed)
        if class_uid == DIRECTORY_CLASS:
            return {"kind": "directory", "ids": _referenced(parsed.dataset)}, []
        if not is_mr(parsed):
            if not class_uid and len(parsed.dataset) < 3:
                return {"kind": "not dicom", "reason": "it is no DICOM file"}, []
            return {"kind": "other", "class": uid_name(class_uid)}, []
        sha = hashlib.sha256(data).hexdigest()
        header, frames = describe(parsed, job["position"], bytes.fromhex(job["salt"]), sha, job["limits"])
        return {"kind": "mr", "header": header, "frames": frames}, []
    except NotDicom as error:
        return {"kind": "not dicom", "reason": str(error)}, []
    except BadFile as error:
        return {"kind": "bad", "reason": str(error)}, []
    except MemoryError:
        return {"kind": "bad", "reason": "it takes more memory than a DICOM file may"}, []
    except Exception:  # noqa: BLE001  a parser fed with anything raises anything; the message may quote the file
        return {"kind": "bad", "reason": MALFORMED}, []


def _decode(job: dict, data: bytes) -> tuple[dict, list]:
    """Stored values of the frames asked for."""
    try:
        body = data
        if job["header"]["transfer_syntax_uid"] == "1.2.840.10008.1.2.1.99":
            body = parse(data, job["limits"]).body
        frames = [stored_values(body, job["header"], index) for index in job["frames"]]
        return {"kind": "pixels"}, frames
    except BadFile as error:
        return {"kind": "bad", "reason": str(error)}, []
    except MemoryError:
        return {"kind": "bad", "reason": "its pixels take more memory than they may"}, []
    except Exception:  # noqa: BLE001  a decoder fed with anything raises anything; the message may quote the file
        return {"kind": "bad", "reason": "its compressed pixels are damaged"}, []


def _referenced(dataset) -> list[list[str]]:
    """ReferencedFileID of every image record of a DICOMDIR, as lists of path components."""
    ids = []
    for record in dataset.get("DirectoryRecordSequence") or []:
        if text(record, "DirectoryRecordType") == "IMAGE":
            value = record.get("ReferencedFileID")
            ids.append([value] if isinstance(value, str) else [str(part) for part in value or []])
    return ids


def _bound_memory(extra: int) -> None:
    """No more address space than now plus ``extra`` bytes; no file may be written; no core is dumped."""
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            now = int(statm.read().split()[0]) * resource.getpagesize()
    except OSError:
        now = 2**32  # no /proc (macOS): a round figure above what the libraries take
    for what, bound in ((resource.RLIMIT_AS, now + extra), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        try:
            resource.setrlimit(what, (bound, bound))
        except (OSError, ValueError):  # a system that does not know this bound; the sizes are checked all the same
            continue


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])), int(sys.argv[2]), float(sys.argv[3]))
