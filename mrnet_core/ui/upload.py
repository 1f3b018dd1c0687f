"""The ways in: files, a zip, a folder, or a demo exam."""

import streamlit as st
from starlette.formparsers import MultiPartParser
from streamlit.runtime.scriptrunner import get_script_run_ctx

from mrnet_core.api.demo import DEMO_EXAMS
from mrnet_core.api.worker import ReadUpload
from mrnet_core.ui.jobs import shared_pool
from mrnet_core.ui.session import exam_session, open_demo

MultiPartParser.spool_max_size = 2 << 30
"""Bytes of an upload that the web server keeps in memory before it turns to a file: more than the largest upload
allowed, so that pixels never touch a disk, whatever TMPDIR is."""
LARGEST_UPLOAD = 1 << 30
"""Bytes of an exam's files together; the server's own bound (``maxUploadSize``) is on each file."""


def take_upload(widget_key: str) -> None:
    """Send what was dropped on the uploader to a worker, unless it is too much, and purge the uploader's own copy."""
    uploaded = st.session_state.get(widget_key) or []
    if not uploaded:
        return
    session = exam_session()
    session.forget()
    total = sum(file.size for file in uploaded)
    if total > LARGEST_UPLOAD:
        session.problem = (
            f"The files are {total / 2**20:,.0f} MB together, and an exam may have {LARGEST_UPLOAD / 2**20:,.0f} MB: "
            "drop the zip, files or folder of one exam only."
        )
    else:
        files = [(file.name, file.getvalue()) for file in uploaded]
        session.start(ReadUpload(files=len(files)), files)
    context = get_script_run_ctx()
    if context is not None:
        for file in uploaded:
            context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)
    del st.session_state[widget_key]


def show_upload() -> None:
    """The uploader: a zip or loose files, or a whole folder."""
    shared_pool()  # the workers warm up while a person chooses
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
        help="Up to 1 GB together. The series are chosen from the DICOM attributes; other files are passed over.",
    )


def show_demo_exams() -> None:
    """One button a demo exam, with what it is below it."""
    st.subheader("Or take a demo exam", anchor=False)
    for column, entry in zip(st.columns(len(DEMO_EXAMS)), DEMO_EXAMS, strict=True):
        column.button(entry.title, on_click=open_demo, args=(entry.name,), width="stretch", key=f"demo_{entry.name}")
        column.caption(entry.words)
    st.caption("The demo exams are synthetic knees, made on this machine when you ask for one.")
