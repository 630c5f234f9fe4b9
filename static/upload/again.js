// Process the same files again by another method, with a preview of the first file.

import { compare } from "./compare.js";
import { styled } from "../shared/dialogs.js";
import { areSound, isSound, readNumber } from "../shared/numbers.js";
import { preview } from "./preview.js";
import { counted, number, reasonOf, text } from "../shared/texts.js";
import { enableChosen, fieldsOf } from "./uploads.js";
import { Trials } from "./trials.js";

const PAUSE_MS = 350;
const dialog = document.getElementById("again");
const form = dialog.querySelector("form");
const area = dialog.querySelector(".preview");
const [name, about] = form.querySelectorAll("p");
const [slider, hint, canvas] = area.children;
const replace = form.querySelector(".replace input");

// Resolves with {fields, replace}, or with null when the dialog is cancelled.
export async function askAgain(items) {
  await styled("upload/compare");
  if (!dialog.querySelector(".methods")) {
    dialog.querySelector(".choice").append(document.querySelector("#upload .methods").cloneNode(true));
  }
  const [item] = items;
  begin(item);
  const isOne = items.length === 1;
  name.textContent = isOne ? item.title : counted("say.so-many", items.length);
  replace.checked = !isOne;
  replace.closest("label").hidden = items.some(({ state }) => state !== "processed");
  dialog.returnValue = "";
  dialog.showModal();
  const shown = new Shown(item);
  const change = ({ target }) => (target.closest(".methods") ? shown.update() : 0);
  const check = (event) => { if (event.submitter?.value && !areSound(form)) event.preventDefault(); };
  form.addEventListener("input", change);
  form.addEventListener("submit", check);
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  form.removeEventListener("input", change);
  form.removeEventListener("submit", check);
  shown.end();
  return dialog.returnValue ? { fields: fieldsOf(form), replace: replace.checked && !replace.closest("label").hidden } : null;
}

// The form starts with the settings of the current result.
function begin({ image, fields }) {
  const { method, parameters } = image ?? { method: fields.method, parameters: fields };
  for (const field of form.querySelectorAll(".parameter input")) {
    field.value = "";
    field.setCustomValidity("");
  }
  const chosen = form.querySelector(`[name=method][value="${method}"]`) ?? form.querySelector("[name=method]");
  chosen.checked = true;
  for (const field of chosen.closest(".method").querySelectorAll(".parameter input")) {
    const value = parameters?.[field.name];
    field.value = Number.isFinite(value) ? number(value, 6).replace(/[^\d.,-]/g, "") : "";
  }
}

// Shows the original beside the preview of the chosen method while the dialog is open.
class Shown {
  #turn = 0;
  #timer = null;
  #drawn = null;
  #view = null;

  constructor(item) {
    this.item = item;
    this.local = item.file ? URL.createObjectURL(item.file) : null;
    this.trials = new Trials(item);
    slider.oninput = () => { this.#field.value = slider.value; isSound(this.#field); this.update(); };
    this.update();
  }

  get #field() { return form.querySelector("[name=threshold]"); }

  update() {
    enableChosen(form);
    about.textContent = form.querySelector(":checked ~ span i").textContent;
    const { method } = fieldsOf(form);
    slider.hidden = method !== "simple";
    if (!slider.hidden) slider.value = fieldsOf(form).threshold ?? slider.defaultValue;
    clearTimeout(this.#timer);
    const turn = ++this.#turn;
    const isDrawn = method === "simple" && this.#drawn;
    if (isDrawn) this.#draw(turn);
    else this.#timer = setTimeout(() => this.#draw(turn), this.#view ? PAUSE_MS : 0);
  }

  async #draw(turn) {
    const fields = fieldsOf(form);
    const wrong = [...form.querySelectorAll(".parameter input:enabled")].some((field) => !isSound(field));
    if (wrong) return;
    area.hidden = false;
    try {
      const { node, words } = fields.method === "simple" && await this.#exact(Number(fields.threshold ?? slider.value))
        || await this.#trial(fields, turn);
      if (turn !== this.#turn) return;
      hint.textContent = words;
      await this.#show(node);
    } catch (problem) {
      if (turn === this.#turn) hint.textContent = `${text("say.no-preview")} ${reasonOf(problem)}`;
    }
  }

  // The exact pixels of the server, computed here; null where they could differ.
  async #exact(threshold) {
    if (!this.item.image?.original) return null;
    this.#drawn ??= await preview(this.item.image.original.href).catch(() => null);
    if (!this.#drawn) return null;
    this.#drawn.draw(threshold);
    return { node: this.#drawn.canvas, words: text("say.exact") };
  }

  async #trial(fields, turn) {
    hint.textContent = text("say.trying");
    canvas.setAttribute("aria-busy", "true");
    const { node, scale } = await this.trials.of(withWindow(fields));
    if (turn === this.#turn) canvas.removeAttribute("aria-busy");
    return { node, words: text(scale < 1 ? "say.approximate" : "say.tried", { percent: number(100 * scale, 0) }) };
  }

  async #show(node) {
    const source = { name: text("say.preview"), node };
    if (this.#view) {
      if (this.node !== node) await this.#view.replace(1, source);
    } else {
      const path = this.item.image?.original?.href;
      const original = path ? { path } : { node: await imageOf(this.local) };
      this.#view = compare([{ name: text("say.original"), ...original }, source]);
      canvas.replaceChildren(this.#view.viewer);
    }
    this.node = node;
  }

  end() {
    this.#turn++;
    clearTimeout(this.#timer);
    if (this.local) URL.revokeObjectURL(this.local);
    canvas.replaceChildren();
    canvas.removeAttribute("aria-busy");
    area.hidden = true;
    hint.textContent = "";
  }
}

// The scaled-down trial needs an explicit window, even where the field is empty.
function withWindow(fields) {
  const field = form.querySelector(".parameter input[name=window]:enabled");
  return field ? { window: readNumber(field.placeholder), ...fields } : fields;
}

async function imageOf(address) {
  const image = new Image();
  image.alt = text("say.original");
  image.src = address;
  await image.decode();
  return image;
}
