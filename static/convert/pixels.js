// Convert what browsers draw to rows of gray as in the service, never all rows at once.

const STRIP_PIXELS = 1 << 20;
// Known grays, to detect whether a browser changes pixels that are read from a canvas.
const PROBE = [0, 36, 73, 109, 146, 182, 219, 255];
let isProbed = false;

// The largest size with the same aspect ratio within the limits of the service.
export function fit(width, height, { pixels, side }) {
  const scale = Math.min(1, side / Math.max(width, height), Math.sqrt(pixels / (width * height)));
  if (scale === 1) return { width, height, scale };
  return { width: Math.max(1, Math.floor(width * scale)), height: Math.max(1, Math.floor(height * scale)), scale };
}

// The transform of quarter turns to the right, for a result of *width* and *height*.
const TURNED = [
  () => [1, 0, 0, 1, 0, 0],
  (width) => [0, 1, -1, 0, width, 0],
  (width, height) => [-1, 0, 0, -1, width, height],
  (_, height) => [0, -1, 1, 0, 0, height],
];

// Sets *context* up to draw the turned picture from row *y* on.
export function turnedTo(context, { width, height }, turns, y = 0) {
  const [a, b, c, d, e, f] = TURNED[turns](width, height);
  context.setTransform(a, b, c, d, e, f - y);
}

// The rows of *source*, a bitmap or canvas, drawn on white and turned.
export function* graysOf(source, { width, height }, turns = 0) {
  probe();
  const count = Math.max(1, Math.floor(STRIP_PIXELS / width));
  const context = new OffscreenCanvas(width, Math.min(count, height)).getContext("2d", { willReadFrequently: true, alpha: false });
  for (let y = 0; y < height; y += count) {
    const rows = Math.min(count, height - y);
    context.resetTransform();
    context.fillStyle = "#fff";
    context.fillRect(0, 0, width, rows);
    turnedTo(context, { width, height }, turns, y);
    context.drawImage(source, 0, 0);
    yield toGray(context.getImageData(0, 0, width, rows).data);
  }
}

// The luma of ITU-R BT.601 in integers, as in docs/engine.md.
export function toGray(rgba) {
  const words = new Uint32Array(rgba.buffer, rgba.byteOffset, rgba.length / 4);
  const grays = new Uint8Array(words.length);
  for (let i = 0; i < words.length; i++) {
    const word = words[i]; // Every platform with a browser is little-endian: red is the low byte.
    grays[i] = (9798 * (word & 255) + 19235 * ((word >> 8) & 255) + 3735 * ((word >> 16) & 255) + 16384) >> 15;
  }
  return grays;
}

// Browsers with fingerprinting protection return noise for pixels: refuse rather than send it.
function probe() {
  if (isProbed) return;
  const context = new OffscreenCanvas(PROBE.length, 1).getContext("2d", { willReadFrequently: true });
  for (const [x, gray] of PROBE.entries()) {
    context.fillStyle = `rgb(${gray} ${gray} ${gray})`;
    context.fillRect(x, 0, 1, 1);
  }
  const { data } = context.getImageData(0, 0, PROBE.length, 1);
  if (PROBE.some((gray, x) => Math.abs(data[4 * x] - gray) > 4)) throw Object.assign(new Error("canvas"), { code: "canvas-blocked" });
  isProbed = true;
}
