// Pixels to pictures. Coordinates: voxel (column, row) with its centre at whole numbers; mm from the series' upper left
// corner; device pixels of the canvas. All axes are parallel, so each direction is scaled by itself.

const CELLS = 7;
const FIRST_CELL = 31; // centre of a map's first cell, in pixels of the 256 × 256 picture
const CELL_STEP = 32;
const RAMP = [
  [0.0, 92, 22, 130],
  [0.3, 176, 42, 118],
  [0.55, 232, 84, 66],
  [0.8, 250, 158, 44],
  [1.0, 253, 234, 130],
];
const LESION_COLOURS = ["#4de1ff", "#a6f06b", "#ff9df0", "#ffd84d", "#9db4ff"];

/** 256 colours from dark violet (weak) to pale yellow (strong), as [r, g, b] bytes. */
const HEAT = (() => {
  const table = new Uint8Array(256 * 3);
  for (let n = 0; n < 256; n++) {
    const v = n / 255;
    const k = Math.max(1, RAMP.findIndex((stop) => stop[0] >= v));
    const [a, b] = [RAMP[k - 1], RAMP[k]];
    const t = (v - a[0]) / (b[0] - a[0]);
    for (let i = 0; i < 3; i++) table[3 * n + i] = Math.round(a[i + 1] + t * (b[i + 1] - a[i + 1]));
  }
  return table;
})();

/** Grey of a value by DICOM's LINEAR_EXACT function (PS3.3 C.11.2.1.3.2), 0 to 255. */
function grey(value, center, width) {
  const y = ((value - center) / width + 0.5) * 255;
  return y <= 0 ? 0 : y >= 255 ? 255 : Math.round(y);
}

/** A painter of one series: its slice in a window, as a canvas of the series' own matrix. */
class SlicePainter {
  constructor(pane) {
    const [, rows, columns] = pane.shape;
    this.pane = pane;
    this.canvas = document.createElement("canvas");
    this.canvas.width = columns;
    this.canvas.height = rows;
    this.context = this.canvas.getContext("2d");
    this.image = this.context.createImageData(columns, rows);
    this.words = new Uint32Array(this.image.data.buffer);
    this.table = pane.kind === "f4" ? null : new Uint32Array(65536);
    this.drawn = "";
  }

  paint(slice, center, width) {
    const wanted = `${slice}/${center}/${width}`;
    if (wanted === this.drawn) return this.canvas;
    const [, rows, columns] = this.pane.shape;
    const size = rows * columns;
    const values = this.pane.pixels.subarray(slice * size, (slice + 1) * size);
    if (this.table) {
      this.window(center, width);
      for (let n = 0; n < size; n++) this.words[n] = this.table[values[n] & 0xffff];
    } else {
      for (let n = 0; n < size; n++) this.words[n] = 0xff000000 | (grey(values[n], center, width) * 0x010101);
    }
    this.context.putImageData(this.image, 0, 0);
    this.drawn = wanted;
    return this.canvas;
  }

  /** Fill the table of greys for every 16-bit value. */
  window(center, width) {
    if (this.center === center && this.width === width) return;
    const signed = this.pane.kind === "i2";
    for (let n = 0; n < 65536; n++) {
      const value = signed && n > 32767 ? n - 65536 : n;
      this.table[n] = 0xff000000 | (grey(value, center, width) * 0x010101);
    }
    this.center = center;
    this.width = width;
  }
}

/** Where the series lies on the canvas: `k` device pixels a mm, upper left corner at (x, y). */
function place(pane, view, width, height) {
  const [, rows, columns] = pane.shape;
  const [rowSpacing, columnSpacing] = pane.spacing;
  const [w, h] = [columns * columnSpacing, rows * rowSpacing];
  const k = Math.min(width / w, height / h) * view.zoom;
  return { k, x: width / 2 - (w * k) / 2 + view.panX * k, y: height / 2 - (h * k) / 2 + view.panY * k, w: w * k, h: h * k };
}

/** For each device pixel from `first` to `last`: the map's lower cell and the weight of the next one. */
function cellsAlong(first, last, origin, k, margin, frame) {
  const cell = new Uint8Array(last - first);
  const weight = new Float32Array(last - first);
  for (let p = first; p < last; p++) {
    const mm = (p + 0.5 - origin) / k + margin;
    const pixel = (mm / frame.side) * frame.size - 0.5;
    const at = Math.min(Math.max((pixel - FIRST_CELL) / CELL_STEP, 0), CELLS - 1); // border cells reach outwards
    const low = Math.min(Math.floor(at), CELLS - 2);
    cell[p - first] = low;
    weight[p - first] = at - low;
  }
  return { cell, weight };
}

/** Draw a slice's map over the picture: colour where it is above zero, nothing elsewhere. */
function paintHeat(context, scratch, pane, cam, slice, top, opacity, at) {
  const x0 = Math.max(0, Math.ceil(at.x - 0.5));
  const y0 = Math.max(0, Math.ceil(at.y - 0.5));
  const x1 = Math.min(context.canvas.width, Math.floor(at.x + at.w + 0.5));
  const y1 = Math.min(context.canvas.height, Math.floor(at.y + at.h + 0.5));
  if (x1 <= x0 || y1 <= y0 || !(top > 0)) return;
  const across = cellsAlong(x0, x1, at.x, at.k, pane.frame.left, pane.frame);
  const down = cellsAlong(y0, y1, at.y, at.k, pane.frame.top, pane.frame);
  const width = x1 - x0;
  scratch.canvas.width = width;
  scratch.canvas.height = y1 - y0;
  const image = scratch.createImageData(width, y1 - y0);
  const data = image.data;
  const line = new Float32Array(CELLS);
  const base = slice * CELLS * CELLS;
  for (let y = 0, n = 0; y < y1 - y0; y++) {
    const row = base + down.cell[y] * CELLS;
    const part = down.weight[y];
    for (let i = 0; i < CELLS; i++) line[i] = cam[row + i] * (1 - part) + cam[row + CELLS + i] * part;
    for (let x = 0; x < width; x++, n += 4) {
      const low = across.cell[x];
      const value = (line[low] + (line[low + 1] - line[low]) * across.weight[x]) / top;
      if (value <= 0) continue;
      const strength = value >= 1 ? 255 : (value * 255) | 0;
      data[n] = HEAT[3 * strength];
      data[n + 1] = HEAT[3 * strength + 1];
      data[n + 2] = HEAT[3 * strength + 2];
      data[n + 3] = 255 * opacity * Math.min(1, value * 1.5);
    }
  }
  scratch.putImageData(image, 0, 0);
  context.drawImage(scratch.canvas, x0, y0);
}

/** Draw the true lesions' outlines; returns the numbers of those on this slice. */
function paintTruth(context, pane, slice, at, ratio) {
  const shown = [];
  const [rowSpacing, columnSpacing] = pane.spacing;
  for (const lesion of pane.lesions) {
    const edges = outline(lesion, slice);
    if (!edges) continue;
    shown.push(lesion.lesion);
    context.beginPath();
    for (const [c0, r0, c1, r1] of edges) {
      context.moveTo(at.x + c0 * columnSpacing * at.k, at.y + r0 * rowSpacing * at.k);
      context.lineTo(at.x + c1 * columnSpacing * at.k, at.y + r1 * rowSpacing * at.k);
    }
    context.lineCap = "square";
    context.lineWidth = 3 * ratio;
    context.strokeStyle = "rgba(0, 0, 0, 0.55)";
    context.stroke();
    context.lineWidth = 1.5 * ratio;
    context.strokeStyle = LESION_COLOURS[lesion.lesion % LESION_COLOURS.length];
    context.stroke();
  }
  return shown;
}

/** Words on the picture, light with a dark rim so that they can be read on anything. */
function label(context, text, x, y, align, ratio, size = 12) {
  context.font = `600 ${size * ratio}px system-ui, sans-serif`;
  context.textAlign = align;
  context.lineJoin = "round";
  context.lineWidth = 3 * ratio;
  context.strokeStyle = "rgba(0, 0, 0, 0.75)";
  context.fillStyle = "rgba(255, 255, 255, 0.92)";
  context.strokeText(text, x, y);
  context.fillText(text, x, y);
}

/** Orientation letters, slice number, window and scale bar. */
function paintMarks(context, pane, view, at, ratio) {
  const { width, height } = context.canvas;
  const edge = 10 * ratio;
  context.textBaseline = "middle";
  if (pane.letters) {
    const [left, right, top, bottom] = pane.letters;
    label(context, left, edge, height / 2, "left", ratio, 14);
    label(context, right, width - edge, height / 2, "right", ratio, 14);
    label(context, top, width / 2, edge * 1.4, "center", ratio, 14);
    label(context, bottom, width / 2, height - edge * 1.4, "center", ratio, 14);
  }
  label(context, `${view.slice + 1} / ${pane.shape[0]}`, edge, edge * 1.4, "left", ratio, 13);
  const round = (value) => (Math.abs(pane.range[1]) < 20 ? value.toPrecision(3) : Math.round(value));
  label(context, `L ${round(view.center)}  W ${round(view.width)}`, edge, height - edge * 1.4, "left", ratio, 11);
  if (pane.placed) paintScale(context, at.k, width - edge, height - edge * 1.4, ratio);
}

function paintScale(context, k, right, y, ratio) {
  const longest = context.canvas.width * 0.28;
  const mm = [50, 20, 10, 5, 2, 1].find((step) => step * k <= longest) ?? 1;
  const bar = mm * k;
  for (const [style, thick] of [["rgba(0, 0, 0, 0.75)", 4], ["rgba(255, 255, 255, 0.92)", 2]]) {
    context.strokeStyle = style;
    context.lineWidth = thick * ratio;
    context.beginPath();
    context.moveTo(right - bar, y + 4 * ratio);
    context.lineTo(right, y + 4 * ratio);
    context.stroke();
  }
  label(context, `${mm} mm`, right, y - 6 * ratio, "right", ratio, 11);
}
