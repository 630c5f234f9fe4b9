// Keep the list of this browser's images, with the state of each.

import { Lost, ask, pause, release } from "./api.js";
import { facts } from "./texts.js";

const STORE = "alvura.images";
const NAMES = "alvura.names";
const MOST = 200;
const LONGEST_PAUSE_MS = 8000;
// The polling interval of this tab, for any number of images.
const SPACING_MS = 200;
let watched = 0;

export function remembered() {
  const ids = kept(STORE) ?? [];
  return ids.filter((id) => /^[0-9a-f-]{36}$/.test(id));
}

// The file names of images, until a response of the server has them.
export function rememberedName(id) {
  return kept(NAMES)?.[id];
}

function kept(key) {
  try { return JSON.parse(localStorage.getItem(key)); } catch { return null; }
}

// With tokens, several people may share a browser, so no file name is kept after the visit.
function change(edit, names = {}) {
  try {
    const ids = edit(remembered()).slice(0, MOST);
    const all = { ...kept(NAMES), ...names };
    const wanted = facts.needsToken ? [] : ids.filter((id) => all[id]).map((id) => [id, all[id]]);
    localStorage.setItem(NAMES, JSON.stringify(Object.fromEntries(wanted)));
    localStorage.setItem(STORE, JSON.stringify(ids));
  } catch { /* private windows may keep nothing; the page works without */ }
}

// Another tab has changed the list.
export function onChange(act) {
  addEventListener("storage", ({ key }) => (key === STORE || key === null) && act(remembered()));
}

// Keep the state for the next visit.
export function keepOrder(ids) {
  change((kept) => [...ids.filter((id) => kept.includes(id)), ...kept.filter((id) => !ids.includes(id))]);
}

export class Item extends EventTarget {
  state = "looking";
  since = Date.now();
  #ended = new AbortController();

  constructor(known) {
    super();
    Object.assign(this, known);
  }

  get signal() { return this.#ended.signal; }
  get isGone() { return this.signal.aborted; }
  // Strip bidi controls, which could disguise a file extension.
  get title() {
    return (this.image?.original?.filename ?? this.name ?? this.id).replace(/[\u202a-\u202e\u2066-\u2069]/g, "");
  }

  // Small enough to show thirty at once: a copy of a converted file, or the PNG itself.
  get picture() { return this.thumb ?? (this.file?.type === "image/png" ? this.file : null); }

  set(changes) {
    const before = this.state;
    Object.assign(this, changes);
    if (this.state !== before) this.since = Date.now();
    if (!this.isGone) this.dispatchEvent(new CustomEvent("change", { detail: before }));
  }

  // The API has accepted the upload; from now on the image has an id.
  accept(image) {
    this.id = image.image_id;
    change((ids) => [this.id, ...ids.filter((id) => id !== this.id)], { [this.id]: this.title });
    this.set({ state: image.status, image, problem: null });
    this.watch();
  }

  async watch(inMs = 0) {
    watched++;
    await pause(inMs, this);
    for (let ms = 700; !this.isGone && this.state !== "deleted"; ms = Math.min(1.4 * ms, LONGEST_PAUSE_MS)) {
      const retryAfterMs = await this.#look();
      if (["processed", "failed", "gone", "deleted"].includes(this.state)) break;
      const waitMs = Math.max(ms, retryAfterMs, SPACING_MS * watched, document.hidden ? LONGEST_PAUSE_MS : 0);
      if (["lost", "held"].includes(this.state)) this.set({ retryAt: Date.now() + waitMs });
      await pause(waitMs, this);
    }
    watched--;
  }

  async #look() {
    try {
      // The browser revalidates with If-None-Match, since the response has no-cache and an ETag.
      const image = await (await ask(`/images/${this.id}`)).json();
      if (this.state === "deleted") return 0; // It was deleted in the meantime.
      this.set({ state: image.status, image, problem: image.error });
      if (!rememberedName(this.id)) change((ids) => ids, { [this.id]: this.title });
      return 0;
    } catch (problem) {
      const state = problem.status === 404 ? "gone" : problem instanceof Lost ? "lost" : "held";
      this.set({ state, problem: state === "held" ? problem : null });
      return problem.status === 401 ? 3_600_000 : 1000 * (problem.retryAfterS ?? 0);
    }
  }

  // Shows that the server has deleted the image, until the card is dismissed.
  lose() {
    change((ids) => ids.filter((id) => id !== this.id));
    this.set({ state: "deleted", problem: null });
    this.#release();
    this.dispatchEvent(new Event("nudge")); // Nothing is left to poll for.
  }

  #release() {
    release(this.image?.original?.href);
    release(this.image?.processed?.href);
  }

  forget() {
    change((ids) => ids.filter((id) => id !== this.id));
    this.#ended.abort(new Error("forgotten"));
    this.#release();
    this.dispatchEvent(new Event("gone"));
    this.dispatchEvent(new Event("nudge")); // Nothing waits for this image any more.
  }
}
