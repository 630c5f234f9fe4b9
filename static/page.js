// Wire the page: files come in by choice, drop or paste; each becomes a card in the list.

import { Problem, ask } from "./api.js";
import { Card } from "./card.js";
import { Item, keepOrder, remembered } from "./images.js";
import { follow } from "./service.js";
import { speak } from "./speak.js";
import { counted, facts, text } from "./texts.js";
import { enableChosen, enqueue, fieldsOf, isBusy } from "./uploads.js";

const form = document.getElementById("upload");
const input = form.querySelector("[type=file]");
const drop = form.querySelector(".drop");
const section = document.getElementById("images");
const list = document.getElementById("cards");
const saveAll = document.getElementById("save-all");
const savePdf = document.getElementById("save-pdf");
const forget = document.getElementById("forget");
const items = new Set();
const shown = new WeakMap();

input.multiple = true;
// `k@sauvola` is for the form without script, which sends the fields of every method.
for (const field of form.querySelectorAll(".parameter input")) [field.name] = field.name.split("@");

function add(item, { before = list.firstChild } = {}) {
  items.add(item);
  const card = new Card(item, { siblings, onAgain: again });
  list.insertBefore(card.node, before);
  shown.set(card.node, item);
  item.addEventListener("change", ({ detail }) => {
    if (detail === item.state) return;
    count();
    if (item.state === "queued") keepListed();
  });
  item.addEventListener("gone", () => { items.delete(item); count(); });
  count();
  return card;
}

// In the order of the list.
function listed() {
  return [...list.children].map((node) => shown.get(node));
}

function finished() {
  return listed().filter(({ state }) => state === "processed");
}

// Puts *order* into the places of the list that its items have now.
function arrange(order) {
  const nodes = new Map([...list.children].map((node) => [shown.get(node), node]));
  const moved = new Set(order), next = order.values();
  list.append(...[...nodes.keys()].map((item) => nodes.get(moved.has(item) ? next.next().value : item)));
  keepListed();
}

function keepListed() {
  keepOrder(listed().map(({ id }) => id).filter(Boolean));
}

// Other results of the same file.
function siblings(item) {
  const sha256 = item.image.original?.sha256;
  return finished().filter((other) => other !== item && sha256 && other.image.original?.sha256 === sha256);
}

function count() {
  section.hidden = items.size === 0;
  savePdf.hidden = finished().length < 1;
  saveAll.hidden = finished().length < 2;
  saveAll.textContent = counted("say.save-all", finished().length);
  forget.hidden = ![...items].some(({ state }) => ["refused", "gone", "deleted", "failed"].includes(state));
}

// --- files ---

function take(files) {
  const isSound = (field) => !field.validity.badInput || field.reportValidity();
  if (![...form.querySelectorAll(".parameter input")].every(isSound)) return;
  const fields = fieldsOf(form);
  const taken = [...files].map((file) => new Item({ file, name: file.name, fields, state: "waiting" }));
  // The first that was chosen stands first, and is sent first.
  for (const item of [...taken].reverse()) add(item);
  taken.forEach(enqueue);
}

async function again(item) {
  try {
    const { askAgain } = await import("./again.js");
    const fields = await askAgain(item);
    if (!fields) return;
    const file = item.file ?? await (await ask(item.image.original.href)).blob();
    const repeated = new Item({ file, name: item.title, fields, state: "waiting" });
    add(repeated);
    enqueue(repeated);
  } catch (problem) {
    item.set({ problem: problem.code ? problem : new Problem({ code: "storage-unavailable", status: 503 }) });
  }
}

input.addEventListener("change", () => {
  take(input.files);
  input.value = "";
});
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("change", () => {
  enableChosen(form);
  document.getElementById("chosen").textContent = facts.methods[fieldsOf(form).method];
});

function isOfFiles(event) {
  return event.dataTransfer?.types.includes("Files");
}
for (const type of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(type, (event) => {
    if (!isOfFiles(event)) return;
    event.preventDefault(); // a file dropped beside the target must not replace the page
    drop.classList.toggle("over", type === "dragover");
    if (type === "drop") take(event.dataTransfer.files);
  });
}
document.addEventListener("paste", (event) => {
  if (event.clipboardData?.files.length) take(event.clipboardData.files);
});
addEventListener("beforeunload", (event) => isBusy() && event.preventDefault());

// --- the list ---

saveAll.addEventListener("click", async () => {
  saveAll.disabled = true;
  try {
    const { zipOf } = await import("./zip.js");
    const address = URL.createObjectURL(await zipOf(finished().map(({ image }) => image)));
    Object.assign(document.createElement("a"), { href: address, download: "alvura.zip" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  } catch {
    speak(text("say.zip-failed"));
  } finally {
    saveAll.disabled = false;
  }
});

savePdf.addEventListener("click", async () => {
  try {
    const { askForPdf } = await import("./one-pdf.js");
    await askForPdf(finished(), arrange);
  } catch {
    speak(text("say.pdf-failed"));
  }
});

forget.addEventListener("click", () => {
  for (const item of [...items]) {
    if (["refused", "gone", "deleted", "failed"].includes(item.state)) item.forget();
  }
  input.focus();
});

if (facts.needsToken) import("./token.js").then(({ askForToken }) => askForToken());
for (const [n, id] of remembered().entries()) {
  const item = new Item({ id });
  add(item, { before: null });
  item.watch(25 * n);
}
follow();
enableChosen(form);
if (input.files.length) { // chosen before this ran
  take(input.files);
  input.value = "";
}
