// Open documents with several pages and draw one page at a time: PDF by pdf.js, TIFF by UTIF.

import { fit } from "./pixels.js";

const PDF_DPI = 300;
// A canvas size that every browser supports, on phones too.
const MOST_CANVAS_PIXELS = 16_000_000;
const POINTS_PER_INCH = 72;

// Resolves with {count, page(n), close()}; page(n) with {source, width, height, dpi, scale} or {rgba, ...}.
export function open(kind, file) {
  return kind === "pdf" ? openPdf(file) : openTiff(file);
}

function fault(code, detail) {
  return Object.assign(new Error(detail), { code });
}

// --- PDF ---

class Canvases {
  create(width, height) {
    const canvas = new OffscreenCanvas(width, height);
    return { canvas, context: canvas.getContext("2d", { willReadFrequently: true }) };
  }

  getNoAlphaContext(canvas) { return canvas.getContext("2d", { alpha: false, willReadFrequently: true }); }

  reset(held, width, height) { Object.assign(held.canvas, { width, height }); }

  destroy(held) {
    Object.assign(held.canvas, { width: 0, height: 0 });
    Object.assign(held, { canvas: null, context: null });
  }
}

// Effects that need the DOM; without it, a page is drawn without them.
class Filters {
  addFilter() { return "none"; }
  addHCMFilter() { return "none"; }
  addAlphaFilter() { return "none"; }
  addLuminosityFilter() { return "none"; }
  addKnockoutFilter() { return "none"; }
  addHighlightHCMFilter() { return "none"; }
  destroy() {}
}

class Files {
  constructor({ standardFontDataUrl }) { this.fonts = standardFontDataUrl; }

  async fetch({ kind, filename }) {
    if (kind !== "standardFontDataUrl") throw new Error(`no ${kind}`);
    const answer = await fetch(this.fonts + filename);
    if (!answer.ok) throw new Error(filename);
    return new Uint8Array(await answer.arrayBuffer());
  }
}

// pdf.js skips images that it cannot decode, and only writes a warning to the console.
const LOST = /Dependent image|Unable to decode image|ignoring the rest of the image|JsInstance|(load|translate)Font/;
let library = null;
let lost = null;

// pdf.js looks for its worker here; if it finds this, it starts no other.
async function pdfjs() {
  console.warn = (message) => { if (LOST.test(message)) lost ??= message; };
  await import("../pdfjs/pdf.worker.min.js");
  return import("../pdfjs/pdf.min.js");
}

async function openPdf(file) {
  library ??= pdfjs();
  const { getDocument } = await library.catch((error) => {
    library = null;
    throw fault("part-missing", error.message);
  });
  const folder = new URL("../pdfjs/", import.meta.url);
  const loading = getDocument({
    data: new Uint8Array(await file.arrayBuffer()),
    CanvasFactory: Canvases, FilterFactory: Filters, BinaryDataFactory: Files,
    standardFontDataUrl: new URL("fonts/", folder).href,
    wasmUrl: new URL("decoders/", folder).href,
    useWasm: false, // The content security policy forbids WebAssembly; scripts replace it.
    useWorkerFetch: false, disableFontFace: true, useSystemFonts: false,
    stopAtErrors: true, // An error is better than a page with missing parts.
    verbosity: 1, // warnings
  });
  const document = await loading.promise.catch((error) => {
    throw error.name === "PasswordException" ? fault("pdf-password", error.message) : fault("unreadable-pdf", error.message);
  });
  return {
    count: document.numPages,
    page: (n, limits) => drawPdf(document, n, limits),
    close: () => loading.destroy(),
  };
}

async function drawPdf(document, n, limits) {
  const page = await document.getPage(n);
  try {
    const wanted = page.getViewport({ scale: PDF_DPI / POINTS_PER_INCH });
    const bounds = { side: limits.side, pixels: Math.min(limits.pixels, MOST_CANVAS_PIXELS) };
    const { scale } = fit(Math.ceil(wanted.width), Math.ceil(wanted.height), bounds);
    const viewport = page.getViewport({ scale: (scale * PDF_DPI) / POINTS_PER_INCH });
    const [width, height] = [viewport.width, viewport.height].map((side) => Math.max(1, Math.round(side)));
    const canvas = new OffscreenCanvas(width, height);
    lost = null;
    await page.render({ canvas, canvasContext: canvas.getContext("2d", { willReadFrequently: true }), viewport }).promise;
    if (lost) throw fault("unreadable-pdf", lost);
    return { source: canvas, width, height, dpi: PDF_DPI * scale, scale: 1 };
  } catch (error) {
    throw error.code ? error : fault("unreadable-pdf", error.message);
  } finally {
    page.cleanup();
  }
}

// --- TIFF ---

// Tag numbers of TIFF 6.0.
const TURNS = { 3: 2, 6: 1, 8: 3 };
const WIDTH = "t256", HEIGHT = "t257", ORIENTATION = "t274", SAMPLES = "t277", RESOLUTION = "t282", UNIT = "t296";

async function openTiff(file) {
  const { default: utif } = await import("../utif/utif.min.js").catch((error) => {
    throw fault("part-missing", error.message);
  });
  mend(utif);
  const bytes = await file.arrayBuffer();
  const pages = read(() => utif.decode(bytes)).filter((page) => page[WIDTH] && page[HEIGHT]);
  if (!pages.length) throw fault("unreadable-tiff", "There is no page in the TIFF.");
  return {
    count: pages.length,
    page: (n) => drawTiff(utif, bytes, pages[n - 1]),
    close() {},
  };
}

// UTIF 4.1 treats gray JPEGs as colour and writes three samples instead of one.
let isGray = false;
function mend({ JpegDecoder: { prototype } }) {
  const original = prototype.getData;
  if (original.isMended) return;
  prototype.getData = function (options) {
    return original.call(this, { ...options, forceRGB: options.forceRGB && !isGray });
  };
  prototype.getData.isMended = true;
}

function read(act) {
  try {
    return act();
  } catch (error) {
    throw fault("unreadable-tiff", String(error.message ?? error));
  }
}

function drawTiff(utif, bytes, page) {
  const { width, height, rgba } = read(() => {
    isGray = (page[SAMPLES]?.[0] ?? 1) === 1;
    utif.decodeImage(bytes, page);
    return { width: page.width, height: page.height, rgba: utif.toRGBA8(page) };
  });
  delete page.data; // Free the memory; the page is decoded again if needed.
  if (!(width * height > 0) || rgba.length !== 4 * width * height) throw fault("unreadable-tiff", "The TIFF is damaged.");
  const [[dots, units]] = page[RESOLUTION] ?? [[0, 1]];
  const across = dots / units;
  const dpi = { 2: across, 3: across * 2.54 }[page[UNIT]?.[0] ?? 2];
  return { rgba, width, height, dpi: dpi > 1 ? dpi : null, turns: TURNS[page[ORIENTATION]?.[0]] ?? 0 };
}
