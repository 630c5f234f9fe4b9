// Preview the method `simple` before sending: with the exact pixels of the server, or not at all.

import { ask } from "../shared/api.js";
import { header } from "./png.js";

// In larger images the slider would lag.
const MOST_PIXELS = 16_000_000;
const GRAY = 0, RGB = 2, PALETTE = 3;
// Chunks with colour profiles, which browsers may apply, or transparency, which the server blends.
const UNSURE = /tRNS|iCCP|cICP/;

// Resolves with {canvas, draw(threshold)}, or null where the pixels could differ.
export async function preview(path) {
  const blob = await (await ask(path)).blob();
  const found = await header(blob);
  const isExact = found && found.depth <= 8 && [GRAY, RGB, PALETTE].includes(found.color)
    && found.width * found.height <= MOST_PIXELS && !UNSURE.test(await chunksBeforePixels(blob)) && await isTrue();
  if (!isExact) return null;
  const { canvas, context, pixels, grays } = await pixelsOf(blob);
  const words = new Uint32Array(pixels.data.buffer);
  const draw = (threshold) => {
    for (let i = 0; i < grays.length; i++) words[i] = grays[i] > threshold ? 0xffffffff : OPAQUE_BLACK;
    context.putImageData(pixels, 0, 0);
  };
  return { canvas, draw };
}

// In either byte order.
const OPAQUE_BLACK = new Uint32Array(new Uint8Array([0, 0, 0, 255]).buffer)[0];

async function pixelsOf(blob) {
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const canvas = Object.assign(document.createElement("canvas"), { width: bitmap.width, height: bitmap.height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  return { canvas, context, pixels, grays: toGray(pixels.data) };
}

// The luma of ITU-R BT.601 in integers, as in docs/engine.md.
function toGray(rgba) {
  const grays = new Uint8Array(rgba.length / 4);
  for (let i = 0, at = 0; i < grays.length; i++, at += 4) {
    grays[i] = (9798 * rgba[at] + 19235 * rgba[at + 1] + 3735 * rgba[at + 2] + 16384) >> 15;
  }
  return grays;
}

async function chunksBeforePixels(blob) {
  let types = "";
  for (let at = 8; at + 8 <= blob.size;) {
    const head = new DataView(await blob.slice(at, at + 8).arrayBuffer());
    const type = String.fromCharCode(...[4, 5, 6, 7].map((byte) => head.getUint8(byte)));
    if (type === "IDAT") return types;
    types += ` ${type}`;
    at += 12 + head.getUint32(0);
  }
  return types;
}

// Some browsers always apply a file's gamma, and some change pixels that are read from a canvas.
// A test file with a gamma and known grays detects both.
async function isTrue() {
  const bytes = Uint8Array.from(atob(PROBE), (character) => character.charCodeAt(0));
  const { grays } = await pixelsOf(new Blob([bytes], { type: "image/png" }));
  return grays.length === 13 && grays.every((gray, i) => gray === 3 + 21 * i);
}

// 13 x 1 pixels of 8-bit gray, 3 to 255 in steps of 21, gAMA 1.
const PROBE = "iVBORw0KGgoAAAANSUhEUgAAAA0AAAABCAAAAAAgQnvbAAAABGdBTUEAAYagMeiWXwAAABZJREFUeNpjYJbQdQrPaZy2"
  + "+sDVV/8BHvsGjisIsC0AAAAASUVORK5CYII=";
