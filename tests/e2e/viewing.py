"""What the browser tests do with the slice viewer: look at its canvases as a person does, by their pixels."""

import base64

import numpy as np

_PIXELS = """async (canvas) => {
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  await frame(); await frame();
  const image = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let text = "";
  for (let n = 0; n < image.data.length; n += 32768) {
    text += String.fromCharCode(...image.data.subarray(n, n + 32768));
  }
  return [canvas.width, canvas.height, btoa(text)];
}"""
_PRINT = """async (canvas) => {
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  await frame(); await frame();
  const image = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let sum = 2166136261;
  for (const word of new Uint32Array(image.data.buffer)) sum = Math.imul(sum ^ word, 16777619) >>> 0;
  return sum;
}"""
_CENTRE = """async (canvas) => {
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  await frame(); await frame();
  return canvas.getContext("2d").getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data[0];
}"""


def upload(page, data: bytes, name: str = "exam.zip") -> None:
    """Put a file on the uploader; while the page is drawn anew there can be two, the one before and the new one."""
    uploader = page.locator("input[type=file]")
    uploader.nth(1).wait_for(state="detached", timeout=30_000)
    uploader.set_input_files({"name": name, "mimeType": "application/zip", "buffer": data})


def wait_for_answer(page) -> None:
    """Until the three probabilities stand there."""
    page.locator(".mr-card").nth(2).wait_for(timeout=120_000)
    page.locator(".tool.heat:not([disabled])").wait_for(timeout=30_000)


def stage(page, plane: str):
    """The focusable picture of a plane."""
    return page.locator(f"[data-plane={plane}] .stage")


def pixels(page, plane: str) -> np.ndarray:
    """The canvas of a plane, ``(height, width, 3)`` uint8, as painted."""
    width, height, text = page.locator(f"[data-plane={plane}] .stage canvas").evaluate(_PIXELS)
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)[..., :3]


def fingerprint(page, plane: str) -> int:
    """A number that changes when any pixel of a plane's canvas does."""
    return page.locator(f"[data-plane={plane}] .stage canvas").evaluate(_PRINT)


def centre(page, plane: str) -> int:
    """Grey of the canvas's middle."""
    return page.locator(f"[data-plane={plane}] .stage canvas").evaluate(_CENTRE)


def grey(value: float, center: float, width: float) -> int:
    """What a value looks like in a window: DICOM PS3.3 C.11.2.1.3.2 (LINEAR_EXACT), 0 to 255."""
    return int(np.clip(np.rint(((value - center) / width + 0.5) * 255), 0, 255))
