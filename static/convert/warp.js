// Remove the perspective of a photographed page: four corners become a rectangle.

// *corners* are [x, y] in pixels: top left, top right, bottom right, bottom left, as the page is read.
export function sizeOf(corners) {
  const side = (from, to) => Math.hypot(corners[to][0] - corners[from][0], corners[to][1] - corners[from][1]);
  const longer = (...sides) => Math.max(1, Math.round(Math.max(...sides)));
  return { width: longer(side(0, 1), side(3, 2)), height: longer(side(0, 3), side(1, 2)) };
}

// From the unit square to *corners*: Heckbert, "Fundamentals of Texture Mapping and Image Warping",
// UCB/CSD 89/516, 1989, section 2.2.3.
export function projection([[x0, y0], [x1, y1], [x2, y2], [x3, y3]]) {
  const [dx1, dx2, sx] = [x1 - x2, x3 - x2, x0 - x1 + x2 - x3];
  const [dy1, dy2, sy] = [y1 - y2, y3 - y2, y0 - y1 + y2 - y3];
  const area = dx1 * dy2 - dx2 * dy1;
  const g = (sx * dy2 - dx2 * sy) / area;
  const h = (dx1 * sy - sx * dy1) / area;
  return [x1 - x0 + g * x1, x3 - x0 + h * x3, x0, y1 - y0 + g * y1, y3 - y0 + h * y3, y0, g, h];
}

// The straightened page in strips of rows, from the grays *from* with *across* pixels per row.
export function* straightened(from, across, corners, { width, height }, rowsAtOnce = 64) {
  const [a, b, c, d, e, f, g, h] = projection(corners);
  const down = from.length / across;
  for (let top = 0; top < height; top += rowsAtOnce) {
    const count = Math.min(rowsAtOnce, height - top);
    const rows = new Uint8Array(count * width);
    for (let row = 0; row < count; row++) {
      const v = (top + row + 0.5) / height;
      for (let column = 0; column < width; column++) {
        const u = (column + 0.5) / width;
        const w = g * u + h * v + 1;
        const x = (a * u + b * v + c) / w - 0.5, y = (d * u + e * v + f) / w - 0.5;
        rows[row * width + column] = between(from, across, down, x, y);
      }
    }
    yield rows;
  }
}

// The interpolated value between four pixels; edge pixels are replicated.
function between(from, across, down, x, y) {
  const cx = x < 0 ? 0 : x > across - 1 ? across - 1 : x, cy = y < 0 ? 0 : y > down - 1 ? down - 1 : y;
  const x0 = cx | 0, y0 = cy | 0;
  const at = y0 * across + x0;
  const right = x0 + 1 < across ? 1 : 0, below = y0 + 1 < down ? across : 0;
  const fx = cx - x0, fy = cy - y0;
  const above = from[at] + (from[at + right] - from[at]) * fx;
  const under = from[at + below] + (from[at + below + right] - from[at + below]) * fx;
  return above + (under - above) * fy + 0.5;
}
