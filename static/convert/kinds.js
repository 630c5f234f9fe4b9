// Identify a file by its first bytes: its name and the browser's guess may be wrong or missing.

const KINDS = [
  ["png", [0x89, 0x50, 0x4e, 0x47]],
  ["jpeg", [0xff, 0xd8, 0xff]],
  ["gif", "GIF8"],
  ["bmp", "BM"],
  ["tiff", "II*\0"],
  ["tiff", "MM\0*"],
  ["pdf", "%PDF-"],
];
// The brands of ISO base media files (ISO/IEC 14496-12, section 4.3).
const BRANDS = { avif: "avif", avis: "avif", heic: "heic", heix: "heic", hevc: "heic", mif1: "heic", msf1: "heic" };

// Resolves with one of the kinds above, webp, avif or heic; null for everything else.
export async function kindOf(file) {
  const bytes = new Uint8Array(await file.slice(0, 1024).arrayBuffer());
  const words = String.fromCharCode(...bytes);
  const found = KINDS.find(([, start]) => (typeof start === "string"
    ? words.startsWith(start) : start.every((byte, at) => bytes[at] === byte)));
  if (found) return found[0];
  if (words.startsWith("RIFF") && words.slice(8, 12) === "WEBP") return "webp";
  if (words.slice(4, 8) === "ftyp") return BRANDS[words.slice(8, 12)] ?? null;
  return words.includes("%PDF-") ? "pdf" : null; // PDF readers accept the header anywhere in the first 1,024 bytes.
}
