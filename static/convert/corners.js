// Find the corners of a bright page on a darker desk, in a small copy of a photograph.
//
// Edges vote for lines, with the direction in which they become brighter (Hough; Ballard, Pattern
// Recognition 13(2):111-122, 1981), so that each line has a page side. Of all sets of four lines
// whose bright sides face each other, the set with the most edge pixels along it is chosen.

const ANGLES = 180; // of the full circle: two degrees each
const LINES = 26;
const SAMPLES = 40;
const LEAST_CONTRAST = 8;
const ENOUGH_CONTRAST = 30;
const LEAST_AREA = 0.12;
const LEAST_SUPPORT = 0.5;
// A page that reaches beyond the picture can have an edge of the picture as a side.
const SUPPORT_OF_BORDER = 0.45;

// *pixels* are bright for paper, in rows of *width*. Returns [[x, y], ...] from 0 to 1, top left
// first, then clockwise; null if no page is certain.
export function findCorners(pixels, width, height) {
  const smooth = blur(withoutPrint(pixels, width, height), width, height);
  const lines = [...strongest(smooth, width, height), ...borders(width, height)];
  const best = bestOf(lines, smooth, width, height);
  return best && inOrder(best.map(([x, y]) => [clamp(x / width), clamp(y / height)]));
}

function clamp(value) {
  return Math.min(1, Math.max(0, value));
}

// --- the picture ---

// Morphological closing: thin dark lines become paper.
function withoutPrint(pixels, width, height) {
  const reach = Math.max(2, Math.round(Math.max(width, height) / 80));
  return spread(spread(pixels, width, height, reach, Math.max), width, height, reach, Math.min);
}

function spread(pixels, width, height, reach, pick) {
  const across = new Uint8Array(pixels.length), out = new Uint8Array(pixels.length);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
    let value = pixels[y * width + x];
    for (let i = Math.max(0, x - reach); i <= Math.min(width - 1, x + reach); i++) value = pick(value, pixels[y * width + i]);
    across[y * width + x] = value;
  }
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
    let value = across[y * width + x];
    for (let i = Math.max(0, y - reach); i <= Math.min(height - 1, y + reach); i++) value = pick(value, across[i * width + x]);
    out[y * width + x] = value;
  }
  return out;
}

function blur(pixels, width, height) {
  const kernel = [1, 4, 6, 4, 1];
  const along = (source, step, at, limit, start) => kernel.reduce((sum, weight, k) => (
    sum + weight * source[start + step * Math.min(limit - 1, Math.max(0, at + k - 2))]), 0) / 16;
  const across = new Float32Array(pixels.length), out = new Float32Array(pixels.length);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) across[y * width + x] = along(pixels, 1, x, width, y * width);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) out[y * width + x] = along(across, width, y, height, x);
  return out;
}

// --- lines ---

// A line is {nx, ny, d}: the points with nx * x + ny * y = d; (nx, ny) points to its bright side.
function strongest(smooth, width, height) {
  const reach = Math.ceil(Math.hypot(width, height));
  const votes = new Float32Array(ANGLES * 2 * reach);
  for (let y = 1; y < height - 1; y++) for (let x = 1; x < width - 1; x++) {
    const at = y * width + x;
    const gx = smooth[at + 1] - smooth[at - 1], gy = smooth[at + width] - smooth[at - width];
    const steep = Math.hypot(gx, gy);
    if (steep < LEAST_CONTRAST) continue;
    const center = Math.round((Math.atan2(gy, gx) / (2 * Math.PI)) * ANGLES);
    for (let k = center - 3; k <= center + 3; k++) {
      const angle = ((k % ANGLES) + ANGLES) % ANGLES;
      const [nx, ny] = normal(angle);
      votes[angle * 2 * reach + Math.round(nx * x + ny * y) + reach] += Math.min(steep, ENOUGH_CONTRAST);
    }
  }
  return peaks(votes, reach);
}

function normal(angle) {
  const radians = (angle / ANGLES) * 2 * Math.PI;
  return [Math.cos(radians), Math.sin(radians)];
}

function peaks(votes, reach) {
  const found = [];
  const apart = Math.max(3, reach / 60);
  const order = [...votes.keys()].filter((at) => votes[at] > 0).sort((a, b) => votes[b] - votes[a]);
  for (const at of order.slice(0, 20_000)) {
    const angle = Math.floor(at / (2 * reach)), d = (at % (2 * reach)) - reach;
    const isNear = found.some((line) => {
      const turn = Math.abs(line.angle - angle);
      return Math.min(turn, ANGLES - turn) <= 4 && Math.abs(line.d - d) <= apart;
    });
    if (isNear) continue;
    const [nx, ny] = normal(angle);
    found.push({ angle, nx, ny, d });
    if (found.length === LINES) break;
  }
  return found;
}

function borders(width, height) {
  return [[1, 0, 0, 0], [0, 1, 0, 45], [-1, 0, -(width - 1), 90], [0, -1, -(height - 1), 135]]
    .map(([nx, ny, d, angle]) => ({ nx, ny, d, angle, isBorder: true }));
}

// --- pages ---

function bestOf(lines, smooth, width, height) {
  const pairs = [];
  for (const [i, one] of lines.entries()) for (const other of lines.slice(i + 1)) {
    // The bright sides face each other: nearly opposite, with the page between them.
    if (one.nx * other.nx + one.ny * other.ny < -0.75 && one.d + other.d < 0) pairs.push([one, other]);
  }
  let best = null, most = 0;
  for (const [i, [a, c]] of pairs.entries()) for (const [b, d] of pairs.slice(i + 1)) {
    const across = Math.abs(a.nx * b.nx + a.ny * b.ny);
    if (across > 0.6 || [a, b, c, d].filter(({ isBorder }) => isBorder).length > 2) continue;
    const corners = [[a, b], [b, c], [c, d], [d, a]].map(([one, other]) => crossing(one, other));
    const area = areaOf(corners, width, height);
    if (!area) continue;
    const score = scoreOf([a, b, c, d], corners, smooth, width, height) * area ** 0.35;
    if (score > most) [best, most] = [{ lines: [a, b, c, d], corners }, score];
  }
  return best && refined(best, smooth, width, height);
}

function crossing(one, other) {
  const turn = one.nx * other.ny - one.ny * other.nx;
  return [(one.d * other.ny - other.d * one.ny) / turn, (one.nx * other.d - other.nx * one.d) / turn];
}

// The share of the picture that the corners enclose; 0 if they are outside or not convex.
function areaOf(corners, width, height) {
  const margin = 0.03 * Math.max(width, height);
  const isInside = ([x, y]) => x > -margin && y > -margin && x < width + margin && y < height + margin;
  if (!corners.every(isInside)) return 0;
  let area = 0;
  const bends = corners.map(([x, y], i) => {
    const [x1, y1] = corners[(i + 1) % 4], [x2, y2] = corners[(i + 2) % 4];
    area += x * y1 - x1 * y;
    return Math.sign((x1 - x) * (y2 - y1) - (y1 - y) * (x2 - x1));
  });
  const share = Math.abs(area) / 2 / (width * height);
  return Math.abs(bends.reduce((sum, bend) => sum + bend)) === 4 && share > LEAST_AREA ? share : 0;
}

// The score of a page is that of its sides; one side without an edge makes it 0.
function scoreOf(lines, corners, smooth, width, height) {
  let product = 1;
  for (const [i, line] of lines.entries()) {
    // The corners 3-0 lie on line 0, 0-1 on line 1, and so on.
    const support = line.isBorder ? SUPPORT_OF_BORDER : supportOf(line, corners[(i + 3) % 4], corners[i], smooth, width, height);
    if (support < LEAST_SUPPORT && !line.isBorder) return 0;
    product *= support;
  }
  return product;
}

// The share of a side that has an edge along it, brighter inside, 0 to 1.
function supportOf({ nx, ny }, from, to, smooth, width, height) {
  const value = sampler(smooth, width, height);
  let sum = 0;
  for (let i = 0; i < SAMPLES; i++) {
    const at = (i + 0.5) / SAMPLES;
    const x = from[0] + (to[0] - from[0]) * at, y = from[1] + (to[1] - from[1]) * at;
    const contrast = value(x + 3 * nx, y + 3 * ny) - value(x - 3 * nx, y - 3 * ny);
    sum += Math.max(0, Math.min(1, (contrast - LEAST_CONTRAST / 2) / (ENOUGH_CONTRAST / 2)));
  }
  return sum / SAMPLES;
}

function sampler(smooth, width, height) {
  return (x, y) => {
    const column = Math.min(width - 1, Math.max(0, Math.round(x))), row = Math.min(height - 1, Math.max(0, Math.round(y)));
    return smooth[row * width + column];
  };
}

// --- refinement to the pixel ---

function refined({ lines, corners }, smooth, width, height) {
  const exact = lines.map((line, i) => (line.isBorder ? line
    : fitted(line, corners[(i + 3) % 4], corners[i], smooth, width, height)));
  const better = exact.map((line, i) => crossing(line, exact[(i + 1) % 4]));
  return areaOf(better, width, height) ? better : corners;
}

// A fit through the steepest points near the line, without outliers.
function fitted(line, from, to, smooth, width, height) {
  const value = sampler(smooth, width, height);
  const points = [];
  for (let i = 2; i < 2 * SAMPLES - 2; i++) {
    const at = (i + 0.5) / (2 * SAMPLES);
    const x = from[0] + (to[0] - from[0]) * at, y = from[1] + (to[1] - from[1]) * at;
    let steepest = LEAST_CONTRAST, shift = null;
    for (let s = -6; s <= 6; s++) {
      const steep = value(x + (s + 1) * line.nx, y + (s + 1) * line.ny) - value(x + (s - 1) * line.nx, y + (s - 1) * line.ny);
      if (steep > steepest) [steepest, shift] = [steep, s];
    }
    if (shift !== null) points.push([at, shift]);
  }
  const kept = withoutOdd(points);
  if (kept.length < SAMPLES / 2) return line;
  const [slope, start] = regression(kept);
  const ends = [[from, start], [to, start + slope]].map(([[x, y], s]) => [x + s * line.nx, y + s * line.ny]);
  return through(...ends, line);
}

function withoutOdd(points) {
  const [slope, start] = regression(points);
  const off = ([at, shift]) => Math.abs(start + slope * at - shift);
  const middle = points.map(off).sort((a, b) => a - b)[points.length >> 1] ?? 0;
  return points.filter((point) => off(point) <= Math.max(1, 2 * middle));
}

function regression(points) {
  const n = points.length || 1;
  const [sx, sy] = points.reduce(([a, b], [x, y]) => [a + x, b + y], [0, 0]);
  const [xx, xy] = points.reduce(([a, b], [x, y]) => [a + (x - sx / n) ** 2, b + (x - sx / n) * (y - sy / n)], [0, 0]);
  const slope = xx ? xy / xx : 0;
  return [slope, sy / n - slope * (sx / n)];
}

function through([x0, y0], [x1, y1], { nx, ny }) {
  const length = Math.hypot(x1 - x0, y1 - y0) || 1;
  const [mx, my] = [(y1 - y0) / length, -(x1 - x0) / length];
  const sign = Math.sign(mx * nx + my * ny) || 1;
  return { nx: sign * mx, ny: sign * my, d: sign * (mx * x0 + my * y0) };
}

// Clockwise as displayed, starting with the corner nearest to the top left.
export function inOrder(corners) {
  const [cx, cy] = [0, 1].map((axis) => corners.reduce((sum, corner) => sum + corner[axis], 0) / 4);
  const round = [...corners].sort((a, b) => Math.atan2(a[1] - cy, a[0] - cx) - Math.atan2(b[1] - cy, b[0] - cx));
  const first = round.reduce((least, corner, i) => (corner[0] + corner[1] < round[least][0] + round[least][1] ? i : least), 0);
  return [...round.slice(first), ...round.slice(0, first)];
}
