// Refuse files that are clearly not valid PNGs before sending, with the API's codes and texts.

import { Problem } from "../shared/api.js";
import { facts } from "../shared/texts.js";

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

// The first bytes of *file*: signature, IHDR and its CRC. Null if any are missing.
export async function header(file) {
  const bytes = new DataView(await file.slice(0, 33).arrayBuffer());
  const isPng = bytes.byteLength === 33 && SIGNATURE.every((byte, at) => bytes.getUint8(at) === byte);
  if (!isPng || bytes.getUint32(8) !== 13 || bytes.getUint32(12) !== 0x49484452) return null;
  return {
    width: bytes.getUint32(16), height: bytes.getUint32(20),
    depth: bytes.getUint8(24), color: bytes.getUint8(25),
  };
}

export async function isPng(file) {
  const start = new Uint8Array(await file.slice(0, 8).arrayBuffer());
  return SIGNATURE.every((byte, at) => start[at] === byte);
}

// Rejects with the Problem that the API would return. The API may still refuse other files.
export async function check(file) {
  const { bytes, pixels, side } = facts.limits;
  if (!file.size) refuse(400, "empty-image", "The part `image` is empty.");
  if (file.size > bytes) refuse(413, "file-too-large", `The file has ${file.size} bytes; the limit is ${bytes}.`);
  if (!(await isPng(file))) refuse(415, "not-a-png", "The file does not start with the PNG signature.");
  const found = await header(file);
  if (!found) return;
  const { width, height } = found;
  const fault = Math.max(width, height) > side ? `has a side over ${side} pixels`
    : width * height > pixels ? `is over ${pixels} pixels` : null;
  if (fault) refuse(422, "too-many-pixels", `${width} x ${height} ${fault}.`);
}

function refuse(status, code, detail) {
  throw new Problem({ status, code, detail });
}
