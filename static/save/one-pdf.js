// Combine finished pages into one PDF: all or some, in an order changed by pointer or keys.

import { ask, picture } from "../shared/api.js";
import { ask as show, save, styled } from "../shared/dialogs.js";
import { pdf } from "./pdf.js";
import { announce } from "../shared/announce.js";
import { counted, number, text } from "../shared/texts.js";

const AT_ONCE = 6;
const dialog = document.getElementById("one-pdf");
const list = dialog.querySelector("ol");
const says = dialog.querySelector(".says");
const go = dialog.querySelector("[value=go]");
const template = document.getElementById("pdf-page");
const shown = new WeakMap();
let onOrder = null;

// *arrange* is called with the items in their new order after each change.
export async function askForPdf(items, arrange) {
  await styled("shared/dialogs");
  onOrder = arrange;
  says.textContent = "";
  list.replaceChildren(...await Promise.all(items.map(row)));
  count();
  if (!dialog.open) show(dialog);
}

function say(sentence) {
  says.textContent = sentence;
  announce(sentence);
}

async function row(item) {
  const node = template.content.cloneNode(true).firstElementChild;
  shown.set(node, item);
  node.querySelector("label span").textContent = item.title;
  node.querySelector("img").src = await picture(item.image.processed.href);
  node.querySelector("input").addEventListener("change", count);
  for (const button of node.querySelectorAll("button")) {
    const key = Number(button.value) < 0 ? "pdf.up" : "pdf.down";
    button.setAttribute("aria-label", text(key, { name: item.title }));
    button.addEventListener("click", () => move(node, Number(button.value)));
  }
  node.addEventListener("keydown", (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step || !event.altKey) return;
    event.preventDefault();
    move(node, step);
  });
  node.querySelector(".grip").addEventListener("pointerdown", (event) => drag(node, event));
  return node;
}

function chosen() {
  return [...list.children].filter((node) => node.querySelector("input").checked).map((node) => shown.get(node));
}

function count() {
  const n = chosen().length;
  go.textContent = counted("pdf.save", n);
  go.disabled = n === 0;
}

// Keep the focus, so that the same key moves the page again.
function move(node, step) {
  shift(node, step);
  node.scrollIntoView({ block: "nearest" });
  settle(node);
}

// Move the neighbour instead: a moved node loses the focus and its pointer capture.
function shift(node, step) {
  const other = step < 0 ? node.previousElementSibling : node.nextElementSibling;
  if (other && step < 0) node.after(other);
  else if (other) node.before(other);
}

function settle(node) {
  const nodes = [...list.children];
  const place = { name: shown.get(node).title, n: number(nodes.indexOf(node) + 1), of: number(nodes.length) };
  say(text("pdf.place", place));
  onOrder(nodes.map((each) => shown.get(each)));
}

// Pointer events, since touch screens do not support drag and drop.
function drag(node, start) {
  start.preventDefault();
  const { target } = start;
  target.setPointerCapture(start.pointerId);
  node.classList.add("dragged");
  const follow = ({ clientY }) => {
    while (node.previousElementSibling && clientY < middle(node.previousElementSibling)) shift(node, -1);
    while (node.nextElementSibling && clientY > middle(node.nextElementSibling)) shift(node, 1);
    scrollTowards(clientY);
  };
  const end = () => {
    target.removeEventListener("pointermove", follow);
    node.classList.remove("dragged");
    settle(node);
  };
  target.addEventListener("pointermove", follow);
  target.addEventListener("lostpointercapture", end, { once: true });
}

function middle(node) {
  const { top, height } = node.getBoundingClientRect();
  return top + height / 2;
}

function scrollTowards(y) {
  const box = list.getBoundingClientRect();
  if (y < box.top + 40) list.scrollTop -= 12;
  if (y > box.bottom - 40) list.scrollTop += 12;
}

// Keep the dialog open until the file is saved or an error is shown.
dialog.querySelector("form").addEventListener("submit", async (event) => {
  if (event.submitter !== go) return;
  event.preventDefault();
  const items = chosen();
  go.disabled = true;
  try {
    save(pdf(await bring(items)), nameOf(items));
    dialog.close();
  } catch {
    say(text("say.pdf-failed"));
  } finally {
    go.disabled = false;
  }
});

async function bring(items) {
  const found = [], left = [...items.entries()];
  const work = async () => {
    for (let next = left.shift(); next; next = left.shift()) {
      const [n, { image }] = next;
      found[n] = new Uint8Array(await (await ask(image.processed.href)).arrayBuffer());
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return found;
}

// The name of the PDF: that of the document if all pages are from one.
function nameOf(items) {
  const names = new Set(items.map(({ title }) => title.replace(/-p\d+(?=\.png$)/, "").replace(/\.[^.]*$/, "")));
  return names.size === 1 ? `${[...names][0]}-bw.pdf` : "alvura.pdf";
}
