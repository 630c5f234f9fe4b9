// Show one image: its picture, state, measurements and actions.

import { ask, picture, token } from "../shared/api.js";
import { methodOf, resultName } from "../shared/names.js";
import { notice } from "../shared/notice.js";
import { announce } from "../shared/announce.js";
import { facts, number, reasonOf, seconds, size, text, until, why } from "../shared/texts.js";

const template = document.getElementById("card");
const MARKS = {
  waiting: "…", converting: "…", sending: "↑", looking: "…", queued: "…", processed: "✓", failed: "✕", refused: "✕",
  lost: "!", held: "!", gone: "–", deleted: "–",
};
const ACTS = {
  waiting: ["cancel"], converting: ["cancel"], sending: ["cancel"], lost: ["retry", "cancel"], held: ["retry", "cancel"],
  processed: ["compare", "save", "again", "straighten", "link", "erase"], failed: ["again", "erase"], queued: ["erase"],
  refused: ["again", "dismiss"], gone: ["dismiss"], deleted: ["dismiss"], looking: [],
};
// States that show a duration.
const TICKING = ["queued", "lost", "held"];
// States announced to screen readers; those in between are only shown.
const SPOKEN = new Set(["processed", "failed", "refused", "lost", "held", "deleted"]);

export class Card {
  constructor(item, { siblings, onAgain, onStraighten }) {
    this.item = item;
    this.siblings = siblings;
    this.onAgain = onAgain;
    this.onStraighten = onStraighten;
    this.node = template.content.cloneNode(true).firstElementChild;
    this.node.id = `card-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
    this.find("h3").id = `${this.node.id}-name`;
    this.find("article").setAttribute("aria-labelledby", `${this.node.id}-name`);
    for (const button of this.node.querySelectorAll("[data-act]")) {
      button.setAttribute("aria-describedby", `${this.node.id}-name`);
      button.addEventListener("click", (event) => this[button.dataset.act](event));
    }
    this.act("erase").addEventListener("blur", () => this.#disarm());
    item.addEventListener("change", ({ detail: before }) => this.draw(before));
    item.addEventListener("gone", () => this.#remove());
    this.ticking = setInterval(() => TICKING.includes(item.state) && this.#drawState(), 1000);
    this.draw(item.state);
  }

  find(selector) { return this.node.querySelector(selector); }
  act(name) { return this.find(`[data-act="${name}"]`); }

  draw(before) {
    const { item } = this;
    this.node.dataset.state = item.state;
    this.find("h3").textContent = item.title;
    this.#drawState();
    this.#drawReason(item.problem);
    this.find(".numbers").textContent = this.#numbers();
    const progress = this.find("progress");
    progress.hidden = item.state !== "sending";
    progress.value = item.percent ?? 0;
    // The API has accepted the image: it can be removed from the list, not cancelled.
    const isUnseen = item.id && ["lost", "held"].includes(item.state);
    const acts = isUnseen ? ["retry", "dismiss"] : ACTS[item.state];
    const focused = this.node.contains(document.activeElement) ? document.activeElement : null;
    for (const button of this.node.querySelectorAll("[data-act]")) {
      button.hidden = !acts.includes(button.dataset.act) || !this.#can(button.dataset.act);
    }
    if (focused?.hidden) this.find("[data-act]:not([hidden])")?.focus();
    if (before !== item.state) this.#arrive(before);
    this.#drawThumb();
  }

  #can(act) {
    if (act === "cancel") return !this.item.id;
    if (act === "again") return Boolean(this.item.file ?? this.item.image?.original);
    return act !== "link" || !facts.needsToken; // A person who opens the link could not send a token.
  }

  #arrive(before) {
    const { item } = this;
    // States from before this visit are not announced.
    if (before !== "looking" && SPOKEN.has(item.state)) announce(text("say.changed", { name: item.title, state: this.#state() }));
    if (item.state === "processed") this.#prepareSave();
  }

  #state() {
    const { item } = this;
    const values = { percent: number(item.percent ?? 0) };
    if (item.problem?.status === 401) return text("state.no-token");
    if (item.state === "held" && item.id) return text("state.looking");
    if (item.state === "lost") return text(item.id ? "state.lost-looking" : "state.lost");
    return text(`state.${item.state}`, values);
  }

  #drawState() {
    const { item } = this;
    const [mark, words] = this.find(".state").children;
    mark.textContent = MARKS[item.state];
    words.textContent = [this.#state(), this.#time()].filter(Boolean).join(" · ");
  }

  #time() {
    const { item } = this;
    const since = Date.parse(item.image?.uploaded_at) || item.since;
    const waitedS = (Date.now() - since) / 1000;
    if (item.state === "queued" && waitedS >= 2) return seconds(waitedS);
    const leftS = Math.ceil((item.retryAt - Date.now()) / 1000);
    const isHeld = ["lost", "held"].includes(item.state) && item.problem?.status !== 401;
    return isHeld && leftS > 0 ? text("say.again-in", { time: seconds(leftS) }) : "";
  }

  #drawReason(problem) {
    const reason = this.find(".reason");
    reason.hidden = !problem?.code;
    if (reason.hidden) return;
    reason.firstElementChild.textContent = why(problem.code);
    const [detail, code] = reason.querySelectorAll("details p > *");
    detail.textContent = problem.detail;
    code.textContent = problem.code;
  }

  #numbers() {
    const { file, image, note } = this.item;
    if (!image) return [file && size(file.size), note].filter(Boolean).join(" · ");
    const { original, processed } = image;
    const words = [];
    if (processed && original?.bytes) words.push(`${size(original.bytes)} → ${size(processed.bytes)}`);
    else if (original?.bytes) words.push(size(original.bytes));
    if (original?.width) words.push(`${number(original.width)} × ${number(original.height)}`);
    if (note) words.push(note);
    words.push(methodOf(image));
    if (image.processed_at && image.uploaded_at) {
      const took = (Date.parse(image.processed_at) - Date.parse(image.uploaded_at)) / 1000;
      words.push(text("say.took", { time: seconds(Math.max(0, took)) }));
    }
    words.push(...remarks(image.page));
    if (image.ignored?.length) words.push(text("say.ignored", { what: image.ignored.join("; ") }));
    if (image.expires_at) words.push(text("say.expires", { when: until(Date.parse(image.expires_at)) }));
    return words.join(" · ");
  }

  async #drawThumb() {
    const { picture: file, image, state } = this.item;
    const thumb = this.find(".thumb img");
    if (state === "deleted" || state === "gone") { thumb.hidden = true; return; }
    // The local file loads faster than the server's copy.
    const path = image?.processed?.href ?? (file ? null : image?.original?.href);
    if (thumb.dataset.of === (path ?? "file")) return;
    thumb.dataset.of = path ?? "file";
    try {
      if (path) {
        thumb.src = await picture(path);
        if (this.local) URL.revokeObjectURL(this.local);
        this.local = null;
      } else if (file && !this.local && state !== "refused") thumb.src = this.local = URL.createObjectURL(file);
    } catch { delete thumb.dataset.of; }
    thumb.onload = () => { thumb.hidden = false; };
    thumb.onerror = () => { thumb.hidden = true; };
    if (thumb.complete && thumb.naturalWidth) thumb.hidden = false;
  }

  // A link cannot send a token, so the picture that is loaded already is saved.
  async #prepareSave() {
    const { image } = this.item;
    const link = this.act("save");
    link.download = resultName(image);
    link.href = token.value ? await picture(image.processed.href) : `${image.processed.href}?download=1`;
  }

  save() { /* the link does it */ }

  again() { this.onAgain(this.item); }

  straighten() { this.onStraighten(this.item); }

  async compare() {
    const isOpen = this.find(".viewer");
    if (isOpen) isOpen.remove();
    else if (!await this.#open()) return;
    this.act("compare").setAttribute("aria-expanded", String(!isOpen));
  }

  async #open() {
    try {
      const [{ compare, sourcesOf }, { styled }] = await Promise.all([import("./compare.js"), import("../shared/dialogs.js")]);
      await styled("upload/compare");
      const { viewer } = compare(sourcesOf(this.item, this.siblings(this.item)));
      this.find("article").append(viewer);
      return true;
    } catch (problem) {
      notice(reasonOf(problem)); // Offline, the module cannot be loaded.
      return false;
    }
  }

  // The link leads to the page of the image, which works in every browser.
  async link() {
    const address = new URL(`/images/${this.item.id}`, location).href;
    try {
      await navigator.clipboard.writeText(address);
      notice(text("say.copied"));
    } catch {
      notice(text("say.link", { address })); // The clipboard exists only on https and localhost.
    }
  }

  retry() { this.item.dispatchEvent(new Event("nudge")); }

  cancel() { this.item.forget(); }

  dismiss() { this.item.forget(); }

  async erase() {
    const button = this.act("erase");
    if (!this.armed) {
      this.armed = button.textContent;
      button.textContent = text("say.really");
      announce(text("say.really"));
      return;
    }
    this.#disarm();
    const hadFocus = this.node.contains(document.activeElement);
    if (await this.#erase() && hadFocus) this.act("dismiss").focus();
  }

  // Resolves with whether the server has deleted the image.
  async #erase() {
    try {
      await ask(`/images/${this.item.id}`, { method: "DELETE" }).catch((problem) => {
        if (problem.status !== 404) throw problem; // 404: it is deleted already.
      });
      this.find(".viewer")?.remove();
      this.item.lose();
      return true;
    } catch (problem) {
      notice(reasonOf(problem));
      return false;
    }
  }

  // Another result replaces this one.
  async remove() {
    if (await this.#erase()) this.item.forget();
  }

  #disarm() {
    if (this.armed) this.act("erase").textContent = this.armed;
    this.armed = null;
  }

  #remove() {
    clearInterval(this.ticking);
    if (this.local) URL.revokeObjectURL(this.local);
    // The focus moves to the item that takes this one's place.
    const next = this.node.nextElementSibling ?? this.node.previousElementSibling;
    const hadFocus = this.node.contains(document.activeElement);
    this.node.remove();
    if (hadFocus) (next?.querySelector("[data-act]:not([hidden])") ?? document.querySelector("input[type=file]")).focus();
  }
}

// The remarks on a page; empty for dark writing that was stored upright.
function remarks(page) {
  if (!page) return [];
  const { kind, inverted, turned } = page;
  const words = [];
  if (kind === "blank") words.push(text("say.blank"));
  if (kind === "photograph") words.push(text("say.photograph"));
  if (inverted) words.push(text("say.inverted"));
  if (turned) words.push(text("say.turned", { degrees: number(turned) }));
  return words;
}
