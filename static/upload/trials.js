// Preview a method by processing a small copy of the image on the service.

import { Lost, Problem, ask, pause } from "../shared/api.js";

// Pixels of the longer side: enough to judge by, few enough to send at every change.
const MOST_PX = 1200;
const PATIENT = { Prefer: "wait=20" };
const MOST_LOOKS = 20;
const PAUSE_MS = 1000;

export class Trials {
  #copy = null;
  #made = new Map();

  constructor(item) { this.item = item; }

  // Resolves with {node, scale}: the result of *fields* for the copy, and the copy's scale.
  async of(fields) {
    const key = JSON.stringify(fields);
    if (!this.#made.has(key)) {
      const made = this.#make(fields);
      made.catch(() => this.#made.delete(key));
      this.#made.set(key, made);
    }
    return this.#made.get(key);
  }

  async #make(fields) {
    this.#copy ??= copyOf(this.item);
    const { blob, scale } = await this.#copy;
    const form = new FormData();
    for (const [field, value] of Object.entries(scaled(fields, scale))) form.append(field, value);
    form.append("image", blob, "preview.png");
    const sent = await ask("/upload", { method: "POST", body: form, headers: PATIENT });
    let image = await sent.json();
    try {
      image = await finished(image);
      const result = await (await ask(image.processed.href)).blob();
      return { node: await drawn(result), scale };
    } finally {
      // If the deletion fails, the copy expires by itself.
      ask(`/images/${image.image_id}`, { method: "DELETE" }).catch(() => {});
    }
  }
}

// A busy service may respond before the result is ready, despite Prefer: wait.
async function finished(image) {
  let found = image;
  for (let looks = 0; found.status === "queued" && looks < MOST_LOOKS; looks++) {
    await pause(PAUSE_MS, new EventTarget());
    found = await (await ask(`/images/${image.image_id}`, { headers: PATIENT })).json();
  }
  if (found.error) throw new Problem(found.error);
  if (!found.processed) throw new Lost(found.status);
  return found;
}

async function copyOf({ file, image }) {
  const whole = file ?? await (await ask(image.original.href)).blob();
  const bitmap = await createImageBitmap(whole);
  const scale = Math.min(1, MOST_PX / Math.max(bitmap.width, bitmap.height));
  if (scale === 1) return { blob: whole, scale };
  const size = { width: Math.round(bitmap.width * scale), height: Math.round(bitmap.height * scale) };
  const canvas = new OffscreenCanvas(size.width, size.height);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, size.width, size.height);
  return { blob: await canvas.convertToBlob({ type: "image/png" }), scale };
}

// Scales a window with the copy. It stays odd, and at least 3.
function scaled(fields, scale) {
  if (!fields.window) return fields;
  return { ...fields, window: Math.max(3, 2 * Math.round((fields.window * scale - 1) / 2) + 1) };
}

async function drawn(blob) {
  const bitmap = await createImageBitmap(blob);
  const canvas = Object.assign(document.createElement("canvas"), { width: bitmap.width, height: bitmap.height });
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  return canvas;
}
