// Send files, three at a time; retry after a lost connection with the same Idempotency-Key.

import { Lost, Problem, pause, send } from "../shared/api.js";
import { readNumber } from "../shared/numbers.js";
import { check, isPng } from "./png.js";

const AT_ONCE = 3;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;
const waiting = [];
let sending = 0;

// *item* has a file and the fields of the form. It ends as queued (or later), or as refused.
export function enqueue(item) {
  item.set({ state: "waiting" });
  waiting.push(item);
  next();
}

// The pages of a document come before all files chosen after it.
export function enqueueFirst(items) {
  waiting.unshift(...items);
  next();
}

export function isBusy() {
  return sending > 0 || waiting.length > 0;
}

async function next() {
  while (sending < AT_ONCE && waiting.length) {
    const item = waiting.shift();
    if (item.isGone) continue;
    sending++;
    deliver(item).finally(() => { sending--; next(); });
  }
}

async function deliver(item) {
  const key = newKey();
  try {
    if (!(await isReady(item))) return; // The item became several others, one per page.
    if (item.isGone) return;
    await check(item.file);
    item.accept(await insist(item, key));
  } catch (error) {
    if (item.isGone) return;
    const unreadable = error instanceof DOMException ? { code: "unreadable-file" } : {};
    item.set({ state: "refused", problem: error instanceof Problem ? error : new Problem(unreadable) });
  }
}

// Prepared one after the other, so that dialogs open in order.
let looked = Promise.resolve();
let converter = null; // One promise, since concurrent import() calls keep no order.
async function isReady(item) {
  const found = looked.then(() => item.file && isPng(item.file));
  looked = found.catch(() => {});
  if (await found) return true;
  converter ??= import("../convert/convert.js");
  const { prepare } = await converter.catch(({ message }) => {
    converter = null;
    throw new Problem({ status: 0, code: "part-missing", detail: message });
  });
  return prepare(item);
}

async function insist(item, key) {
  for (let ms = FIRST_PAUSE_MS; ; ms = Math.min(2 * ms, LONGEST_PAUSE_MS)) {
    try {
      await item.file.slice(0, 1).arrayBuffer(); // The file may have been moved in the meantime.
      item.set({ state: "sending", percent: 0, problem: null });
      return await send(formOf(item), key, {
        onProgress: (percent) => item.set({ percent }),
        signal: item.signal,
      });
    } catch (error) {
      if (!(error instanceof Lost || error.isTransient || error.status === 401)) throw error;
      item.set({ state: error instanceof Lost ? "lost" : "held", problem: error });
      // A refused token stays refused: wait for another token.
      const longest = error.status === 401 ? 2 ** 31 - 1 : Math.max(ms, 1000 * (error.retryAfterS ?? 0));
      const waitMs = longest * (0.75 + Math.random() / 4);
      item.set({ retryAt: Date.now() + waitMs });
      await pause(waitMs, item);
      if (item.isGone) throw error;
    }
  }
}

function formOf({ file, name, fields }) {
  const form = new FormData();
  for (const [field, value] of Object.entries(fields)) form.append(field, value);
  form.append("image", file, name);
  return form;
}

// Only the fields of the chosen method are validated, so that no hidden field blocks the form.
export function enableChosen(root) {
  for (const method of root.querySelectorAll(".method")) {
    const { checked } = method.querySelector("[type=radio]");
    for (const field of method.querySelectorAll(".parameter input")) field.disabled = !checked;
  }
}

// Method and parameters of a form: only those of the chosen method, and only non-empty fields.
export function fieldsOf(root) {
  const chosen = root.querySelector("[name=method]:checked");
  const given = [...chosen.closest(".method").querySelectorAll(".parameter input")].filter((field) => field.value.trim());
  return Object.fromEntries([["method", chosen.value], ...given.map(({ name, value }) => [name, readNumber(value)])]);
}

// crypto.randomUUID exists only on https and localhost.
function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
