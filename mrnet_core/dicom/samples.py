"""One small picture in every transfer syntax that this reader takes, to check an installation's decoders.

The compressed pictures were made once, from ``sample_picture``, with libjpeg-turbo (JPEG), CharLS (JPEG-LS), OpenJPEG
(JPEG 2000) and PackBits (RLE); a check builds a synthetic DICOM file around each and sends it through the decoding
process, as an exam's files go.
"""

import base64
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, MRImageStorage

from mrnet_core.dicom.decoder import Decoder, Task, shared_decoder

SHAPE = (32, 40)
_UID = "2.25.1"
NATIVE = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2")
TOLERANCE = {
    "1.2.840.10008.1.2.4.50": 48,
    "1.2.840.10008.1.2.4.51": 24,
    "1.2.840.10008.1.2.4.81": 2,
    "1.2.840.10008.1.2.4.91": 60,
}
"""Greatest difference from the picture, of 4095, that a lossy syntax may show; every other one shows none."""
_CODED = {
    "1.2.840.10008.1.2.4.50": (
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAIBAQEBAQIBAQECAgICAgQDAgICAgUEBAMEBgUGBgYFBgYGBwkIBgcJBwYGCAsICQoKCgoK"
        "BggLDAsKDAkKCgr/wAALCAAgACgBAREA/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUFBAQAAAF9"
        "AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEII0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVWV1hZWmNkZWZn"
        "aGlqc3R1dnd4eXqDhIWGh4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi4+Tl5ufo6erx8vP0"
        "9fb3+Pn6/9oACAEBAAA/AP5/63K6CtyugrqK3K6CtyugrsK6CtyugrcrqK6Ctyugrcr/2Q=="
    ),
    "1.2.840.10008.1.2.4.51": (
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAIBAQEBAQIBAQECAgICAgQDAgICAgUEBAMEBgUGBgYFBgYGBwkIBgcJBwYGCAsICQoKCgoK"
        "BggLDAsKDAkKCgr/wQALDAAgACgBAREA/8QAFgABAQEAAAAAAAAAAAAAAAAACQoO/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQAA"
        "PwDP/wCeA8B4DwKgDwHgPAeBZAeA8B4DwKgDwHgPAeB//9k="
    ),
    "1.2.840.10008.1.2.4.57": (
        "/9j/4AAQSkZJRgABAQAAAQABAAD/wwALDAAgACgBAREA/8QAFwABAQEBAAAAAAAAAAAAAAAAAAcKDP/aAAgBAQAEAADn/wABeAF4AXgB"
        "eAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAagAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "GqgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABqAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAf/9k="
    ),
    "1.2.840.10008.1.2.4.70": (
        "/9j/4AAQSkZJRgABAQAAAQABAAD/wwALDAAgACgBAREA/8QAFwABAQEBAAAAAAAAAAAAAAAAAAcKDP/aAAgBAQABAADn/wABeAF4AXgB"
        "eAABeAF4AXgBeAABeAF4AXgBeAABeAF4AXgBeAABeAF4AXgBeAABeAF4AXgBeAABeAF4AXgBeAABeAF4AXgBeAGoABeAF4AXgBeAABeA"
        "F4AXgBeAABeAF4AXgBeAABeAF4AXgBeAABeAF4AXgBeAABeAF4AXgBeAABeAF4AXgBeAABeAF4AXgBeAGqgBeAF4AXgBeAABeAF4AXgB"
        "eAABeAF4AXgBeAABeAF4AXgBeAABeAF4AXgBeAABeAF4AXgBeAABeAF4AXgBeAABeAF4AXgBeAGoABeAF4AXgBeAABeAF4AXgBeAABeA"
        "F4AXgBeAABeAF4AXgBeAABeAF4AXgBeAABeAF4AXgBeAABeAF4AXgBeAABeAF4AXgBeAH//Z"
    ),
    "1.2.840.10008.1.2.4.80": (
        "/9j/9wALDAAgACgBAREA/9oACAEBAAAAAPwb4EEEIQgAAAAD4oopSlIAA7AgghCEAAAAAfFFFKUpdQMwXBcPELhcLjpE4nE44Q8Tic4R"
        "5OTnCPJyc4R5OTmAA/5ShCEIA4QhCIiB3REREQOyIiIiDqiIiIiBOTk5O4T06dwnp07hPTp3CenTuE9OncJ6dOwNPiJJIOiSSSDmkkkg"
        "5JJJIcUkkkgnTp07hPTp+F88/C+efhfPPwvnn4Xzz4F/yVUOCqqG9VVDcqqhtVVUE888/C+efhfPPwvnn4Xzz8L55+F88+D/2Q=="
    ),
    "1.2.840.10008.1.2.4.81": (
        "/9j/9wALDAAgACgBAREA/9oACAEBAAIAAPw/CIkkAAADiaSQAFhESSAAABxJNJ1DMXFzxLl13SnTp3C+efhfPPwvnn4Xzz4AP5NKgIVV"
        "QwqqhhVWLv8E888/C+efhfPPwvnn4Xzz8L55+F88+AT/cXfxd/Lv5d/ieeefhfPPwvnn4Xzz8L55+F88/C+efB//ZZ/Lv5Z/Kv8J555+"
        "F88/C+efhfPPwvnn4Xzz8L558P/Z"
    ),
    "1.2.840.10008.1.2.4.90": (
        "/0//UQApAAAAAAAoAAAAIAAAAAAAAAAAAAAAKAAAACAAAAAAAAAAAAABCwEB/1IADAAAAAEABQQEAAH/XAATQGBoaHBoaHBoaHBoaHBo"
        "aHD/ZAAlAAFDcmVhdGVkIGJ5IE9wZW5KUEVHIHZlcnNpb24gMi41LjL/kAAKAAAAAADmAAH/k8/kEAg5eEHAHzgo/kEABX8CRbHvwA+Q"
        "JD9gkAh+4B8LPAFqew0ETN/APqDoPzFgEVBGwVtDIQrqiM4qaoMQ3D7w9TYmlBFaAGihnmlYSlMJ+MefwH2kMH5k4BcpjKCRL8L22gHV"
        "r5UC8Ikwxa3XzfN9L3fN83zfN83zfwwiZdq0ffKL8WkdDoPoPkjnPSyZR2Xe9IcxLI735HkhJJdFi18e/MA+oRg/MeAhbBVJ+T/rbrrd"
        "WAAAADCQlwDU37hMm02L/FAAAwkJZrAgMG1awl7TzgAwYFqCX//Z"
    ),
    "1.2.840.10008.1.2.4.91": (
        "/0//UQApAAAAAAAoAAAAIAAAAAAAAAAAAAAAKAAAACAAAAAAAAAAAAABCwEB/1IADAAAAAEABQQEAAD/XAAjQpcglvCW8JbAjwCPAI7g"
        "h1CHUIdocAVwBXBHd9N303di/2QAJQABQ3JlYXRlZCBieSBPcGVuSlBFRyB2ZXJzaW9uIDIuNS4y/5AACgAAAAAAdwAB/5PH6ggI+MFf"
        "wA/ICh9gGAVzAmWIwBFB8wYADgoLPAEhlFPAHDQHwEgRYJd8bRwRLfSrKEJHRV3AdHg+IWAha4yn1reXDCJl2rRYAkQhuRLAOIgfGNAh"
        "bBVJ+T/2JwDU37hMm02FhHCPtsz/2Q=="
    ),
    "1.2.840.10008.1.2.5": (
        "AgAAAEAAAADuAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAOkA8QHpAPEB6QDxAekA"
        "8QHpAPEB6QDxAekA8QHpAPEB8QLxA/kE8QLxA/kE8QLxA/kE8QLxA/kE8QLxA/kE8QLxA/kE8QLxA/kE8QLxA/kE8QXxBvkH8QXxBvkH"
        "8QXxBvkH8QXxBvkH8QXxBvkH8QXxBvkH8QXxBvkH8QXxBvEH8QjxCfkH8QjxCfkH8QjxCfkH8QjxCfkH8QjxCfkH8QjxCfkH8QjxCfkH"
        "8QjxCfkA+Xj58Plo+eD5APl4+fD5aPng+QD5ePnw+Wj54PkA+Xj58Plo+eD5APl4+fD5aPng+QD5ePnw+Wj54PkA+Xj58Plo+eD5APl4"
        "+fD5aPng+YD5+Plw+ej5YPmA+fj5cPno+WD5gPn4+XD56Plg+YD5+Plw+ej5YPmA+fj5cPno+WD5gPn4+XD56Plg+YD5+Plw+ej5YPmA"
        "+fj5cPno+WD5KPmg+Rj5kPkI+Sj5oPkY+ZD5CPko+aD5GPmQ+Qj5KPmg+Rj5kPkI+Sj5oPkY+ZD5CPko+aD5GPmQ+Qj5KPmg+Rj5kPkI"
        "+Sj5oPkY+ZD5CPmo+SD5mPkQ+Yj5qPkg+Zj5EPmI+aj5IPmY+RD5iPmo+SD5mPkQ+Yj5qPkg+Zj5EPmI+aj5IPmY+RD5iPmo+SD5mPkQ"
        "+Yj5qPkg+Zj5EPmI"
    ),
}
SAMPLES = tuple(sorted((*NATIVE, *_CODED)))
"""Transfer syntaxes that have a sample, in the order of their UIDs."""


@dataclass(frozen=True)
class SyntaxSample:
    """How one transfer syntax fared: ``ok``, and if not what went wrong."""

    uid: str
    name: str
    ok: bool
    note: str = ""


def sample_picture() -> NDArray[np.uint16]:
    """The picture, ``(32, 40)``, 12 bits: steps down and across."""
    row, column = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return (((row // 8) * 16 + (column // 8) * 3 + row // 16) * 40).astype(np.uint16)


def syntax_samples(decoder: Decoder | None = None) -> tuple[SyntaxSample, ...]:
    """Decode one sample of each transfer syntax and compare it with the picture.

    Returns
    -------
    tuple of SyntaxSample
        In the order of the UIDs; ``ok`` is False where an installed decoder fails or decodes to another picture.

    Raises
    ------
    InstallationError
        The decoding process does not start.
    """
    decoder = decoder or shared_decoder()
    files = [sample_file(uid) for uid in SAMPLES]
    inspected = decoder.ask("inspect", [Task({"position": n}, data) for n, data in enumerate(files)], {"salt": ""})
    headers = [answer.said.get("header") for answer in inspected]
    known = [n for n, header in enumerate(headers) if header is not None]
    decoded = decoder.ask("decode", [Task({"header": headers[n], "frames": [0]}, files[n]) for n in known], {})
    results = dict(zip(known, decoded, strict=True))
    return tuple(_judged(uid, results.get(n)) for n, uid in enumerate(SAMPLES))


def sample_file(syntax: str) -> bytes:
    """A synthetic MR file that holds the picture in one transfer syntax."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.Modality = MRImageStorage, _UID, "MR"
    dataset.PatientName, dataset.PatientID = "SYNTHETIC^SAMPLE", "SYNTHETIC"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"{_UID}.1", f"{_UID}.2"
    dataset.Rows, dataset.Columns = SHAPE
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PixelRepresentation = 1, "MONOCHROME2", 0
    bits = 8 if syntax == "1.2.840.10008.1.2.4.50" else 12
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = (8 if bits == 8 else 16), bits, bits - 1
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = MRImageStorage, _UID
    meta.TransferSyntaxUID = UID(syntax)
    dataset.file_meta = meta
    if syntax in _CODED:
        dataset.PixelData = encapsulate([base64.b64decode(_CODED[syntax])])
        dataset["PixelData"].VR = "OB"
    else:
        order = "<u2" if meta.TransferSyntaxUID.is_little_endian else ">u2"
        dataset.PixelData = sample_picture().astype(order).tobytes()
        dataset["PixelData"].VR = "OW"
    target = BytesIO()
    dataset.save_as(target, enforce_file_format=True)
    return target.getvalue()


def _judged(uid: str, answer) -> SyntaxSample:
    name = UID(uid).name
    if answer is None:
        return SyntaxSample(uid, name, False, "the sample's attributes cannot be read")
    if answer.said["kind"] != "pixels":
        return SyntaxSample(uid, name, False, answer.said["reason"])
    picture = np.frombuffer(answer.parts[0], np.uint16).reshape(SHAPE).astype(int)
    if uid == "1.2.840.10008.1.2.4.50":
        picture = picture << 4  # eight of the twelve bits
    worst = int(np.abs(picture - sample_picture()).max())
    allowed = TOLERANCE.get(uid, 0)
    if worst > allowed:
        return SyntaxSample(uid, name, False, f"it decodes to another picture (off by {worst}, {allowed} allowed)")
    return SyntaxSample(uid, name, True)
