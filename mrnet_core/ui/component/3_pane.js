// One plane: its picture, its strip of slices, and what a mouse, a finger or a key does to it.

const WHEEL_NOTCH = 100; // CSS pixels of one notch of an ordinary wheel
const FINE_STEP = 40; // CSS pixels of a touch pad's scrolling that make one slice
const ZOOM_LIMITS = [0.5, 20];

class Pane {
  constructor(viewer, data, element) {
    this.viewer = viewer;
    this.element = element;
    this.stage = element.querySelector(".stage");
    this.canvas = this.stage.querySelector("canvas");
    this.context = this.canvas.getContext("2d");
    this.scratch = document.createElement("canvas").getContext("2d");
    this.strip = element.querySelector(".strip");
    this.jump = element.querySelector(".jump");
    this.pointers = new Map();
    this.rolled = 0;
    element.dataset.plane = data.plane;
    element.querySelector("h3").textContent = data.name;
    this.adopt(data);
    this.listen();
    this.watcher = new ResizeObserver(() => this.redraw());
    this.watcher.observe(this.stage);
    this.watcher.observe(this.strip);
  }

  /** Take new data of the same plane; the view stays when the series is the same. */
  adopt(data) {
    this.data = data;
    this.painter = new SlicePainter(data);
    this.view ??= { slice: Math.floor(data.shape[0] / 2), zoom: 1, panX: 0, panY: 0, center: 0, width: 1 };
    this.slices = data.shape[0];
    this.view.slice = Math.min(this.view.slice, this.slices - 1);
    this.stage.setAttribute("aria-valuemax", this.slices);
    this.stage.setAttribute("aria-label", `${data.name} slice`);
  }

  reset() {
    const [center, width] = this.data.window;
    Object.assign(this.view, { zoom: 1, panX: 0, panY: 0, center, width });
    this.redraw();
  }

  get map() {
    return this.data.maps[this.viewer.state.task];
  }

  show(slice, byHand = true) {
    const wanted = Math.min(Math.max(slice, 0), this.slices - 1);
    if (byHand) this.viewer.active = this;
    if (wanted === this.view.slice) return;
    this.view.slice = wanted;
    this.describe();
    this.redraw();
    if (byHand) this.viewer.moved();
  }

  redraw() {
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = 0;
      this.draw();
    });
  }

  draw() {
    const ratio = window.devicePixelRatio || 1;
    const box = this.stage.getBoundingClientRect();
    const [width, height] = [Math.round(box.width * ratio), Math.round(box.height * ratio)];
    if (!width || !height) return;
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    const shown = this.paint(this.context, this.scratch, ratio);
    this.canvas.dataset.slice = this.view.slice;
    this.viewer.truthShown(this, shown);
    this.describe();
    this.drawStrip(ratio);
  }

  /** Everything of the pane on a canvas; returns the true lesions on this slice. */
  paint(context, scratch, ratio) {
    const { state } = this.viewer;
    const { width, height } = context.canvas;
    const view = this.view;
    const at = place(this.data, view, width, height);
    context.fillStyle = "#000";
    context.fillRect(0, 0, width, height);
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.painter.paint(view.slice, view.center, view.width), at.x, at.y, at.w, at.h);
    const map = this.map;
    if (map && state.heat) {
      const top = state.scaling === "slice" ? map.peaks[view.slice] : map.peak;
      paintHeat(context, scratch, this.data, map.cam, view.slice, top, state.opacity, at);
    }
    const shown = state.truth ? paintTruth(context, this.data, view.slice, at, ratio) : [];
    paintMarks(context, this.data, view, at, ratio);
    return shown;
  }

  describe() {
    const { state } = this.viewer;
    const map = this.map;
    const slice = this.view.slice;
    const words = [`slice ${slice + 1} of ${this.slices}`];
    if (map && state.heat) words.push(`${this.viewer.taskName()} heatmap on`);
    if (map && slice === map.most) words.push("most activated slice");
    this.stage.setAttribute("aria-valuenow", slice + 1);
    this.stage.setAttribute("aria-valuetext", words.join(", "));
    this.stage.dataset.drag = state.drag;
    this.jump.hidden = !map;
    if (!map) return;
    this.jump.textContent = `▼ ${map.most + 1}`;
    this.jump.setAttribute("aria-label", `Most activated ${this.data.plane} slice: ${map.most + 1}`);
    this.jump.setAttribute("aria-current", slice === map.most);
    this.jump.title = `Go to slice ${map.most + 1}, the most activated: its map has the highest peak of this series`;
    const model = this.viewer.data.model;
    this.element.querySelector(".score").textContent =
      `${this.viewer.taskName()} ${map.probability.toFixed(2)}${model ? `, ${model}` : ""}`;
  }

  drawStrip(ratio) {
    const box = this.strip.getBoundingClientRect();
    const [width, height] = [Math.round(box.width * ratio), Math.round(box.height * ratio)];
    if (!width) return;
    if (this.strip.width !== width || this.strip.height !== height) Object.assign(this.strip, { width, height });
    const context = this.strip.getContext("2d");
    const style = getComputedStyle(this.viewer.root);
    const [ink, accent] = [style.color, style.getPropertyValue("--accent").trim() || "#0b6e75"];
    context.clearRect(0, 0, width, height);
    const step = (width - 8 * ratio) / this.slices;
    const map = this.map;
    const foot = height - 4 * ratio;
    for (let s = 0; s < this.slices; s++) {
      const share = map && map.peak > 0 ? Math.max(0, map.peaks[s] / map.peak) : 0;
      const tall = Math.max(3 * ratio, share * (height - 14 * ratio));
      const here = s === this.view.slice;
      context.globalAlpha = here ? 1 : 0.32;
      context.fillStyle = here ? accent : ink;
      const x = 4 * ratio + s * step;
      context.fillRect(x, foot - tall, Math.max(1, step - ratio), tall);
      if (map && s === map.most) {
        context.globalAlpha = 0.9;
        context.beginPath();
        context.moveTo(x + step / 2 - 4 * ratio, 2 * ratio);
        context.lineTo(x + step / 2 + 4 * ratio, 2 * ratio);
        context.lineTo(x + step / 2, 7 * ratio);
        context.fill();
      }
    }
    context.globalAlpha = 1;
  }

  listen() {
    const options = { passive: false };
    this.stage.addEventListener("wheel", (event) => this.wheel(event), options);
    this.stage.addEventListener("contextmenu", (event) => event.preventDefault());
    this.stage.addEventListener("pointerdown", (event) => this.press(event));
    this.stage.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"]) {
      this.stage.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
    }
    this.stage.addEventListener("dblclick", () => this.reset());
    for (const near of ["focus", "pointerenter"]) {
      this.stage.addEventListener(near, () => (this.viewer.active = this));
    }
    const pick = (event) => {
      const box = this.strip.getBoundingClientRect();
      this.show(Math.floor(((event.clientX - box.left - 4) / (box.width - 8)) * this.slices));
    };
    this.strip.addEventListener("pointerdown", (event) => {
      this.strip.setPointerCapture(event.pointerId);
      pick(event);
    });
    this.strip.addEventListener("pointermove", (event) => event.buttons && pick(event));
    this.jump.addEventListener("click", () => this.toMost());
    this.element.querySelector(".save").addEventListener("click", () => this.save());
  }

  wheel(event) {
    event.preventDefault();
    const delta = event.deltaY * (event.deltaMode === 1 ? 33 : event.deltaMode === 2 ? 400 : 1);
    if (event.ctrlKey || event.metaKey) {
      this.zoomAt(Math.exp(-delta * 0.002), event.clientX, event.clientY);
      return;
    }
    if (Math.abs(delta) >= WHEEL_NOTCH / 2) {
      this.rolled = 0;
      this.show(this.view.slice + Math.sign(delta) * Math.max(1, Math.round(Math.abs(delta) / (1.5 * WHEEL_NOTCH))));
      return;
    }
    this.rolled += delta;
    const steps = Math.trunc(this.rolled / FINE_STEP);
    if (steps) {
      this.rolled -= steps * FINE_STEP;
      this.show(this.view.slice + steps);
    }
  }

  press(event) {
    this.stage.setPointerCapture(event.pointerId);
    this.stage.focus({ preventScroll: true });
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    this.dragged = 0;
    this.dragKind =
      event.button === 2 ? "window" : event.button === 1 || event.shiftKey ? "pan" : this.viewer.state.drag;
    if (event.button === 1) event.preventDefault();
  }

  move(event) {
    const last = this.pointers.get(event.pointerId);
    if (!last) return;
    const [dx, dy] = [event.clientX - last.x, event.clientY - last.y];
    if (this.pointers.size === 2) {
      this.pinch(event, last, dx, dy);
    } else {
      this.drag(this.dragKind, dx, dy);
    }
    Object.assign(last, { x: event.clientX, y: event.clientY });
  }

  /** Two fingers: their distance zooms, their middle moves the picture. */
  pinch(event, last, dx, dy) {
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)[1];
    const distance = (point) => Math.max(10, Math.hypot(point.x - other.x, point.y - other.y));
    const now = { x: event.clientX, y: event.clientY };
    this.zoomAt(distance(now) / distance(last), (now.x + other.x) / 2, (now.y + other.y) / 2);
    this.pan(dx / 2, dy / 2);
  }

  drag(kind, dx, dy) {
    const box = this.stage.getBoundingClientRect();
    if (kind === "window") this.adjustWindow(dx / box.width, dy / box.height);
    else if (kind === "pan") this.pan(dx, dy);
    else if (kind === "zoom") this.zoomAt(Math.exp(-dy * 0.01), box.left + box.width / 2, box.top + box.height / 2);
    else {
      this.dragged += dy;
      const step = Math.max(4, box.height / this.slices / 1.5);
      const steps = Math.trunc(this.dragged / step);
      if (steps) {
        this.dragged -= steps * step;
        this.show(this.view.slice + steps);
      }
    }
  }

  /** `across` widens the window, `down` lowers its level, in shares of the pane: one pane is twice the first window's width. */
  adjustWindow(across, down) {
    const reach = 2 * this.data.window[1];
    this.view.width = Math.max(this.view.width + across * reach, this.data.window[1] / 200);
    this.view.center += down * reach;
    this.redraw();
  }

  pan(dx, dy) {
    const { k } = this.scale();
    this.view.panX += dx / k;
    this.view.panY += dy / k;
    this.redraw();
  }

  /** Zoom by `factor`; the point under (clientX, clientY) stays where it is. */
  zoomAt(factor, clientX, clientY) {
    const box = this.stage.getBoundingClientRect();
    const before = this.scale().k;
    const zoom = Math.min(Math.max(this.view.zoom * factor, ZOOM_LIMITS[0]), ZOOM_LIMITS[1]);
    const after = (before * zoom) / this.view.zoom;
    const [x, y] = [clientX - box.left - box.width / 2, clientY - box.top - box.height / 2];
    this.view.panX += x / after - x / before;
    this.view.panY += y / after - y / before;
    this.view.zoom = zoom;
    this.redraw();
  }

  scale() {
    const box = this.stage.getBoundingClientRect();
    return place(this.data, this.view, box.width, box.height);
  }

  toMost() {
    if (!this.map) return;
    this.show(this.map.most);
    this.viewer.say(`${this.data.name}: ${this.viewer.mostWords(this)}`);
  }

  /** The pane as a PNG, with the research notice and the model's name burnt in. */
  save() {
    const ratio = Math.max(window.devicePixelRatio || 1, 2);
    const box = this.stage.getBoundingClientRect();
    const picture = document.createElement("canvas");
    picture.width = Math.round(box.width * ratio);
    picture.height = Math.round(box.height * ratio);
    const context = picture.getContext("2d");
    this.paint(context, document.createElement("canvas").getContext("2d"), ratio);
    const whole = burnIn(picture, this.viewer.noticeLines(this), ratio);
    whole.toBlob((blob) => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = `knee_${this.data.plane}_slice${this.view.slice + 1}_${this.viewer.state.task}.png`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    }, "image/png");
  }

  remove() {
    this.watcher.disconnect();
    cancelAnimationFrame(this.waiting);
    this.element.remove();
  }
}

/** The picture with lines of words on a band below it, wrapped to its width. */
function burnIn(picture, lines, ratio) {
  const size = 11 * ratio;
  const whole = document.createElement("canvas");
  const context = whole.getContext("2d");
  const font = `500 ${size}px system-ui, sans-serif`;
  context.font = font;
  const wrapped = [];
  for (const line of lines) {
    let row = "";
    for (const word of line.split(" ")) {
      const longer = row ? `${row} ${word}` : word;
      if (row && context.measureText(longer).width > picture.width - 2 * size) {
        wrapped.push(row);
        row = word;
      } else row = longer;
    }
    wrapped.push(row);
  }
  whole.width = picture.width;
  whole.height = picture.height + (wrapped.length * 1.35 + 0.9) * size;
  context.fillStyle = "#14191a";
  context.fillRect(0, 0, whole.width, whole.height);
  context.drawImage(picture, 0, 0);
  context.font = font;
  context.fillStyle = "#fff";
  context.textBaseline = "top";
  wrapped.forEach((row, n) => context.fillText(row, size, picture.height + (0.6 + 1.35 * n) * size));
  return whole;
}
