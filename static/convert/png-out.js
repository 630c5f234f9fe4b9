// Write a gray PNG in strips, so that neither its pixels nor its bytes are in memory twice.

import { crc32 } from "../shared/crc32.js";

const SIGNATURE = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const INCHES_PER_METRE = 1 / 0.0254;
const PAETH = 4;

// *strips* yields Uint8Arrays of whole rows, 8-bit gray. Resolves with a Blob.
export async function grayPng({ width, height, dpi }, strips) {
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, width);
  header.setUint32(4, height);
  header.setUint8(8, 8); // bits of gray; the rest is 0 for gray, deflate, no interlacing
  const chunks = [chunk("IHDR", new Uint8Array(header.buffer))];
  if (dpi) chunks.push(chunk("pHYs", density(dpi)));
  for (const part of await deflate(filtered(strips, width))) chunks.push(chunk("IDAT", part));
  chunks.push(chunk("IEND", new Uint8Array()));
  return new Blob([SIGNATURE, ...chunks.flat()], { type: "image/png" });
}

function chunk(type, data) {
  const name = new TextEncoder().encode(type);
  const [length, crc] = [data.length, crc32(name, data)].map((value) => {
    const view = new DataView(new ArrayBuffer(4));
    view.setUint32(0, value);
    return view;
  });
  return [length, name, data, crc];
}

function density(dpi) {
  const view = new DataView(new ArrayBuffer(9));
  const dots = Math.round(dpi * INCHES_PER_METRE);
  view.setUint32(0, dots);
  view.setUint32(4, dots);
  view.setUint8(8, 1); // the unit is the metre
  return new Uint8Array(view.buffer);
}

async function deflate(parts) {
  const stream = new CompressionStream("deflate"); // With a zlib header, as PNG requires.
  const read = readAll(stream.readable);
  const writer = stream.writable.getWriter();
  for await (const part of parts) {
    await writer.ready;
    writer.write(part).catch(() => {}); // The reader reports the error.
  }
  writer.close().catch(() => {});
  return read;
}

// Pieces of at least 64 KiB, each a chunk of the file.
async function readAll(readable) {
  const pieces = [];
  let held = [], bytes = 0;
  const flush = () => {
    if (bytes) pieces.push(joined(held, bytes));
    held = [];
    bytes = 0;
  };
  const reader = readable.getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    held.push(next.value);
    bytes += next.value.length;
    if (bytes >= 65_536) flush();
  }
  flush();
  return pieces;
}

function joined(parts, bytes) {
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

// Paeth filter on every row (PNG, section 9.4), which compresses photographs best.
async function* filtered(strips, width) {
  let above = new Uint8Array(width);
  for await (const rows of strips) {
    const count = rows.length / width;
    const out = new Uint8Array(count * (width + 1));
    for (let y = 0; y < count; y++) {
      const row = rows.subarray(y * width, (y + 1) * width);
      out[y * (width + 1)] = PAETH;
      paeth(row, above, out, y * (width + 1) + 1);
      above = row;
    }
    above = above.slice();
    yield out;
  }
}

function paeth(row, above, out, at) {
  let a = 0, c = 0;
  for (let x = 0; x < row.length; x++) {
    const b = above[x];
    const pa = Math.abs(b - c), pb = Math.abs(a - c), pc = Math.abs(a + b - 2 * c);
    out[at + x] = row[x] - (pa <= pb && pa <= pc ? a : pb <= pc ? b : c);
    a = row[x];
    c = b;
  }
}
