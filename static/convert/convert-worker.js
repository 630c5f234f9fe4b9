// In a worker: convert photographs and document pages to gray PNGs, one at a time.

import { findCorners } from "./corners.js";
import { open } from "./documents.js";
import { decode, shrink } from "./photos.js";
import { fit, graysOf, turnedTo } from "./pixels.js";
import { grayPng } from "./png-out.js";
import { sizeOf, straightened } from "./warp.js";

const THUMB_PX = 240;
// Enough pixels to see and detect the edges of a page.
const SHOWN_PX = 1400;
const SEARCHED_PX = 400;
const documents = new Map();

const ACTS = {
  async image({ file, limits }) {
    const { bitmap, ...about } = await decode(file, limits);
    return finish(bitmap, about, limits);
  },

  async open(asked) {
    const { count } = await documentOf(asked);
    return { count };
  },

  async page({ n, limits, ...asked }) {
    const { source, rgba, turns = 0, ...drawn } = await (await documentOf(asked)).page(n, limits);
    if (source) return finish(source, drawn, limits);
    const whole = await createImageBitmap(new ImageData(new Uint8ClampedArray(rgba.buffer, rgba.byteOffset, rgba.length), drawn.width, drawn.height));
    const size = fit(drawn.width, drawn.height, limits);
    const bitmap = size.scale === 1 ? whole : await shrink(whole, size);
    const sides = turns % 2 ? { width: size.height, height: size.width } : {};
    return finish(bitmap, { ...size, ...sides, dpi: drawn.dpi && drawn.dpi * size.scale }, limits, turns);
  },

  // A small copy for display, with the detected corners of the page.
  async look({ file, limits }) {
    const { bitmap } = await decode(file, limits);
    const shown = await copyOf(bitmap, SHOWN_PX);
    const searched = await copyOf(bitmap, SEARCHED_PX);
    bitmap.close();
    const { width, height } = searched;
    const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    context.drawImage(searched, 0, 0);
    searched.close();
    const brightness = paperness(context.getImageData(0, 0, width, height).data);
    return { shown, corners: findCorners(brightness, width, height) };
  },

  // *corners* are from 0 to 1 in reading orientation: top left first, then clockwise.
  async straighten({ file, corners, limits }) {
    const { bitmap, width, height } = await decode(file, limits);
    const grays = whole(graysOf(bitmap, { width, height }), width * height);
    bitmap.close();
    const exact = corners.map(([x, y]) => [x * width, y * height]);
    const wanted = sizeOf(exact);
    for (let scale = fit(wanted.width, wanted.height, limits).scale; ; scale *= 0.85) {
      const size = { width: Math.max(1, Math.floor(wanted.width * scale)), height: Math.max(1, Math.floor(wanted.height * scale)) };
      const png = await grayPng(size, straightened(grays, width, exact, size));
      if (png.size > limits.bytes) continue;
      const thumb = await createImageBitmap(png);
      try {
        return { png, ...size, isScaled: scale < 1, thumb: await thumbOf(thumb, size, 0) };
      } finally {
        thumb.close();
      }
    }
  },

  async close({ key }) {
    await documents.get(key)?.close();
    documents.delete(key);
  },
};

// Opens the document again if this worker replaces one that hung.
async function documentOf({ key, kind, file }) {
  if (!documents.has(key)) documents.set(key, await open(kind, file));
  return documents.get(key);
}

// At the largest size the service accepts; a noisy photograph may need a second, smaller attempt.
async function finish(source, { width, height, dpi, scale }, limits, turns = 0) {
  try {
    const png = await grayPng({ width, height, dpi }, graysOf(source, { width, height }, turns));
    if (png.size <= limits.bytes) {
      return { png, width, height, isScaled: scale < 1, thumb: await thumbOf(source, { width, height }, turns) };
    }
    const less = Math.min(0.9, Math.sqrt(limits.bytes / png.size) * 0.95);
    const [w, h] = turns % 2 ? [height, width] : [width, height];
    const small = { width: Math.max(1, Math.floor(w * less)), height: Math.max(1, Math.floor(h * less)) };
    const bitmap = await createImageBitmap(source, { resizeWidth: small.width, resizeHeight: small.height, resizeQuality: "high" });
    const sides = turns % 2 ? { width: small.height, height: small.width } : small;
    return await finish(bitmap, { ...sides, dpi: dpi && dpi * less, scale: less }, limits, turns);
  } finally {
    source.close?.();
  }
}

function copyOf(bitmap, longest) {
  const scale = Math.min(1, longest / Math.max(bitmap.width, bitmap.height));
  const [resizeWidth, resizeHeight] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale)));
  return createImageBitmap(bitmap, { resizeWidth, resizeHeight, resizeQuality: "high" });
}

// Paper is bright in every colour channel, a wooden desk is not.
function paperness(rgba) {
  const least = new Uint8Array(rgba.length / 4);
  for (let i = 0, at = 0; i < least.length; i++, at += 4) least[i] = Math.min(rgba[at], rgba[at + 1], rgba[at + 2]);
  return least;
}

function whole(strips, bytes) {
  const all = new Uint8Array(bytes);
  let at = 0;
  for (const strip of strips) {
    all.set(strip, at);
    at += strip.length;
  }
  return all;
}

async function thumbOf(source, { width, height }, turns) {
  const scale = Math.min(1, THUMB_PX / width);
  const size = { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
  const canvas = new OffscreenCanvas(size.width, size.height);
  const context = canvas.getContext("2d");
  turnedTo(context, size, turns);
  const [w, h] = turns % 2 ? [size.height, size.width] : [size.width, size.height];
  context.drawImage(source, 0, 0, w, h);
  return canvas.convertToBlob({ type: "image/jpeg" });
}

addEventListener("message", async ({ data }) => {
  const { id, act, ...asked } = data;
  if (!ACTS[act]) return; // pdf.js sends its own messages here.
  try {
    postMessage({ id, answer: await ACTS[act](asked) });
  } catch (error) {
    const { code, message } = error; // The code of a DOMException is a number.
    postMessage({ id, fault: { code: typeof code === "string" ? code : "unreadable-image", detail: String(message ?? error) } });
  }
});
