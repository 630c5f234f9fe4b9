// Ask for the same file by another method, with the threshold of `simple` shown while it moves.

import { compare } from "./compare.js";
import { preview } from "./preview.js";
import { text } from "./texts.js";
import { enableChosen, fieldsOf } from "./uploads.js";

const dialog = document.getElementById("again");
const form = dialog.querySelector("form");
const area = dialog.querySelector(".preview");
const [name, about] = form.querySelectorAll("p");
const slider = area.querySelector("input");
let drawn = null;
let turn = 0;

// Resolves with the fields, or with null when the person thinks better of it.
export async function askAgain(item) {
  if (!dialog.querySelector(".methods")) {
    dialog.querySelector(".choice").append(document.querySelector("#upload .methods").cloneNode(true));
  }
  name.textContent = item.title;
  drawn = null;
  area.hidden = true;
  dialog.returnValue = "";
  dialog.showModal();
  const change = (event) => event.target.name === "method" && show(item);
  const typed = (event) => event.target.name === "threshold" && event.target.value && draw(event.target.value);
  form.addEventListener("change", change);
  form.addEventListener("input", typed);
  show(item);
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  form.removeEventListener("change", change);
  form.removeEventListener("input", typed);
  area.querySelector(".canvas").replaceChildren();
  turn++;
  drawn = null;
  return dialog.returnValue ? fieldsOf(form) : null;
}

async function show(item) {
  const { method } = fieldsOf(form);
  enableChosen(form);
  about.textContent = form.querySelector(":checked ~ span i").textContent;
  area.hidden = method !== "simple" || !item.image?.original;
  if (area.hidden || drawn) return;
  const { original } = item.image;
  const asked = turn;
  const found = await preview(original.href).catch(() => null);
  if (asked !== turn) return; // the dialog is about another image by now
  drawn = found;
  area.hidden = !drawn || fieldsOf(form).method !== "simple";
  if (!drawn) return;
  draw(threshold().value || slider.value);
  area.querySelector(".canvas").replaceChildren(compare([
    { name: text("say.original"), path: original.href }, { name: text("say.preview"), node: drawn.canvas },
  ]));
}

function threshold() {
  return form.querySelector("[name=threshold]");
}

let frame = 0;
function draw(value) {
  slider.value = value;
  cancelAnimationFrame(frame);
  frame = requestAnimationFrame(() => drawn?.draw(Number(value)));
}

slider.addEventListener("input", () => {
  threshold().value = slider.value;
  draw(slider.value);
});
