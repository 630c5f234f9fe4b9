// Decode one picture with the browser, in the orientation of its camera, and read its resolution.

import { fit } from "./pixels.js";

// Cameras write 72 or 96 as a placeholder; the values of scanners are real.
const LEAST_DPI = 100;

// Resolves with {bitmap, width, height, dpi, scale}; the caller closes the bitmap.
export async function decode(file, limits) {
  const whole = await createImageBitmap(file, { imageOrientation: "from-image" });
  const size = fit(whole.width, whole.height, limits);
  const dpi = await dpiOf(file);
  if (size.scale === 1) return { bitmap: whole, ...size, dpi };
  const bitmap = await shrink(whole, size);
  return { bitmap, ...size, dpi: dpi && dpi * size.scale };
}

export async function shrink(whole, { width, height }) {
  try {
    return await createImageBitmap(whole, { resizeWidth: width, resizeHeight: height, resizeQuality: "high" });
  } finally {
    whole.close();
  }
}

// The horizontal dots per inch of a JPEG with a JFIF header (ISO/IEC 10918-5); null otherwise.
export async function dpiOf(file) {
  const view = new DataView(await file.slice(0, 20).arrayBuffer());
  const isJfif = view.byteLength === 20 && view.getUint32(0) === 0xffd8ffe0 && view.getUint32(6) === 0x4a464946;
  if (!isJfif) return null;
  const [unit, density] = [view.getUint8(13), view.getUint16(14)];
  const dpi = unit === 1 ? density : unit === 2 ? density * 2.54 : 0;
  return dpi >= LEAST_DPI ? dpi : null;
}
