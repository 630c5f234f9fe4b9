// Convert other files to PNG in a worker: a photograph to one, PDF and TIFF to one per page.

import { Problem } from "../shared/api.js";
import { Item } from "../shared/images.js";
import { inWorker } from "./in-worker.js";
import { kindOf } from "./kinds.js";
import { number, text } from "../shared/texts.js";

const MOST_PAGES = 200; // The maximum of the list.
const NAMES = { jpeg: "JPEG", webp: "WebP", gif: "GIF", bmp: "BMP", avif: "AVIF", heic: "HEIC", tiff: "TIFF", pdf: "PDF" };

const isToBeStraightened = document.getElementById("straighten-first");
let straightener = null; // A promise, so that straighten dialogs open in order.
let looked = Promise.resolve();
let last = 0;

// Makes item.file a PNG. Resolves with false when it became several items, each converted later.
export async function prepare(item) {
  if (item.page) {
    await draw(item);
    return true;
  }
  const found = looked.then(() => kindOf(item.file));
  looked = found.catch(() => {});
  const kind = await found;
  if (kind === "png" || !kind) return true; // The check before sending refuses everything else.
  item.set({ state: "converting" });
  if (kind === "pdf" || kind === "tiff") {
    await split(item, kind);
    return false;
  }
  try {
    const straight = isToBeStraightened.checked && await askHow(item);
    if (item.isGone) return true;
    keep(item, straight || await inWorker("image", { file: item.file }, item.signal), NAMES[kind], Boolean(straight));
  } catch (problem) {
    throw problem.code === "unreadable-image" && kind === "heic" ? heic(problem.detail) : problem;
  }
  return true;
}

// The straightened page; null if the photograph stays as it is.
async function askHow(item) {
  straightener ??= import("./straighten.js");
  const { straighten } = await straightener.catch(({ message }) => {
    straightener = null;
    throw new Problem({ status: 0, code: "part-missing", detail: message });
  });
  const answer = await straighten(item.file, item.title, { isSent: true, signal: item.signal, isWanted: () => isToBeStraightened.checked });
  if (answer === "rest") isToBeStraightened.checked = false;
  return answer.png ? answer : null;
}

function keep(item, { png, thumb, width, height, isScaled }, from, isStraight = false) {
  const words = [text("say.from", { kind: from })];
  if (isStraight) words.push(text("say.straightened"));
  if (isScaled) words.push(text("say.scaled", { width: number(width), height: number(height) }));
  item.set({ file: png, thumb, note: words.join(", ") });
  item.addEventListener("change", () => {
    // Dropped once uploaded: thirty photographs would fill a phone's memory.
    if (["processed", "failed"].includes(item.state)) Object.assign(item, { file: null, thumb: null });
  });
}

// --- documents ---

async function split(item, kind) {
  const key = ++last;
  const { count } = await inWorker("open", { file: item.file, kind, key }, item.signal);
  try {
    if (count > MOST_PAGES) throw new Problem({ status: 422, code: "too-many-pages", detail: `The file has ${count} pages; the limit is ${MOST_PAGES}.` });
    item.signal.throwIfAborted();
  } catch (problem) {
    inWorker("close", { key });
    throw problem;
  }
  const document = { key, kind, file: item.file, left: count };
  const digits = Math.max(2, String(count).length);
  const stem = item.name.replace(/\.[^.]*$/, "");
  const pages = Array.from({ length: count }, (_, n) => new Item({
    name: `${stem}-p${String(n + 1).padStart(digits, "0")}.png`,
    fields: item.fields, state: "waiting", page: { document, n: n + 1 },
  }));
  for (const page of pages) page.signal.addEventListener("abort", () => finished(page));
  item.dispatchEvent(new CustomEvent("pages", { detail: pages }));
  item.forget();
}

async function draw(item) {
  const { document, n } = item.page;
  const { key, kind, file } = document;
  item.set({ state: "converting" });
  try {
    keep(item, await inWorker("page", { key, kind, file, n }, item.signal), NAMES[kind]);
  } finally {
    finished(item);
  }
}

// Closes the document once all its pages are drawn.
function finished(item) {
  const { document } = item.page ?? {};
  if (!document) return;
  item.page = null;
  if (--document.left === 0) inWorker("close", { key: document.key });
}

// Only Safari decodes HEIC; the advice depends on the device.
function heic(detail) {
  const agent = navigator.userAgent;
  const device = /iPhone|iPad/.test(agent) ? "ios" : /Android/.test(agent) ? "android" : /Mac/.test(agent) ? "mac" : "windows";
  return new Problem({ status: 415, code: `heic-${device}`, detail });
}
