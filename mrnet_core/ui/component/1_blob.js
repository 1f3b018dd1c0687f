// Unpacks the blob of mrnet_core/api/viewer_data.py: header, pixels, maps, lesions.

const ARRAYS = { i2: Int16Array, u2: Uint16Array, f4: Float32Array, u1: Uint8Array };

const FIRST_SECTION = 8; // bytes before the header

/** The header as text: equal words mean an equal blob, for it names the exam by a hash of its pixels. */
function headerWords(bytes) {
  if (new TextDecoder().decode(bytes.subarray(0, 4)) !== "MRNV") throw new Error("not an exam for this viewer");
  const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(4, true);
  return new TextDecoder().decode(bytes.subarray(FIRST_SECTION, FIRST_SECTION + length));
}

/** The header with its sections replaced by typed arrays. Sections are copied: the blob's own offset may be odd. */
function unpack(bytes) {
  const words = headerWords(bytes);
  const header = JSON.parse(words);
  const start = FIRST_SECTION + new TextEncoder().encode(words).length;
  const section = ([offset, size]) => bytes.slice(start + offset, start + offset + size);
  const typed = (Kind, place) => new Kind(section(place).buffer);
  for (const pane of header.panes) {
    pane.pixels = typed(ARRAYS[pane.kind], pane.pixels);
    for (const map of Object.values(pane.maps)) {
      map.cam = typed(Float32Array, map.cam);
      map.peaks = peaks(map.cam, pane.shape[0]);
      map.peak = Math.max(...map.peaks);
    }
    for (const lesion of pane.lesions) lesion.bits = section(lesion.bits);
  }
  return header;
}

/** Highest value of each slice's 7 × 7 map. */
function peaks(cam, slices) {
  const found = new Float32Array(slices).fill(-Infinity);
  for (let s = 0; s < slices; s++) {
    for (let i = s * 49; i < (s + 1) * 49; i++) if (cam[i] > found[s]) found[s] = cam[i];
  }
  return found;
}

/** Edges of a lesion on one slice, as [x0, y0, x1, y1] between voxel corners in (column, row); null where it is not. */
function outline(lesion, slice) {
  const [s0, r0, c0] = lesion.origin;
  const [depth, height, width] = lesion.shape;
  const s = slice - s0;
  if (s < 0 || s >= depth) return null;
  const inside = (r, c) => {
    if (r < 0 || c < 0 || r >= height || c >= width) return false;
    const n = (s * height + r) * width + c;
    return ((lesion.bits[n >> 3] >> (7 - (n & 7))) & 1) === 1;
  };
  const edges = [];
  for (let r = 0; r <= height; r++) {
    for (let c = 0; c <= width; c++) {
      const here = inside(r, c);
      if (here !== inside(r - 1, c)) edges.push([c0 + c, r0 + r, c0 + c + 1, r0 + r]);
      if (here !== inside(r, c - 1)) edges.push([c0 + c, r0 + r, c0 + c, r0 + r + 1]);
    }
  }
  return edges.length ? edges : null;
}
