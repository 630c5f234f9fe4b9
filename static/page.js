// Wire the page: files come in by choice, drop or paste; each becomes a card in the list.

import { Problem, ask, token } from "./api.js";
import { Card, resultName } from "./card.js";
import { Item, remembered } from "./images.js";
import { follow } from "./service.js";
import { speak } from "./speak.js";
import { counted, facts, text } from "./texts.js";
import { enqueue, fieldsOf, isBusy } from "./uploads.js";

const form = document.getElementById("upload");
const input = form.querySelector("[type=file]");
const drop = form.querySelector(".drop");
const section = document.getElementById("images");
const list = document.getElementById("cards");
const saveAll = document.getElementById("save-all");
const forget = document.getElementById("forget");
const items = new Set();

input.multiple = true;
// `k@sauvola` is for the form without script, which sends the fields of every method.
for (const field of form.querySelectorAll(".parameter input")) [field.name] = field.name.split("@");

function add(item, { before = list.firstChild } = {}) {
  items.add(item);
  const card = new Card(item, { siblings, onAgain: again });
  list.insertBefore(card.node, before);
  item.addEventListener("change", ({ detail }) => detail !== item.state && count());
  item.addEventListener("gone", () => { items.delete(item); count(); });
  count();
  return card;
}

function finished() {
  return [...items].filter(({ state }) => state === "processed");
}

// Other results of the same file.
function siblings(item) {
  const sha256 = item.image.original?.sha256;
  return finished().filter((other) => other !== item && sha256 && other.image.original?.sha256 === sha256);
}

function count() {
  section.hidden = items.size === 0;
  saveAll.hidden = finished().length < 2;
  saveAll.textContent = counted("say.save-all", finished().length);
  forget.hidden = ![...items].some(({ state }) => ["refused", "gone", "deleted", "failed"].includes(state));
}

// --- files ---

function take(files) {
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
    const { zip } = await import("./zip.js");
    const address = URL.createObjectURL(zip(await results()));
    Object.assign(document.createElement("a"), { href: address, download: "alvura.zip" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  } catch {
    speak(text("say.zip-failed"));
  } finally {
    saveAll.disabled = false;
  }
});

async function results() {
  const taken = new Map();
  return Promise.all(finished().map(async ({ image }) => {
    const name = resultName(image);
    const n = taken.get(name) ?? 0;
    taken.set(name, n + 1);
    const bytes = new Uint8Array(await (await ask(image.processed.href)).arrayBuffer());
    return { name: n ? name.replace(/\.png$/, ` (${n + 1}).png`) : name, date: new Date(image.processed_at), bytes };
  }));
}

forget.addEventListener("click", () => {
  for (const item of [...items]) {
    if (["refused", "gone", "deleted", "failed"].includes(item.state)) item.forget();
  }
  input.focus();
});

// --- the token ---

function askForToken() {
  const [entry, kept] = [document.getElementById("token"), document.getElementById("signed-in")];
  const show = () => { entry.hidden = Boolean(token.value); kept.hidden = !token.value; };
  entry.addEventListener("submit", (event) => {
    event.preventDefault();
    token.value = entry.querySelector("input").value.trim();
    entry.reset();
    show();
  });
  kept.querySelector("button").addEventListener("click", () => {
    token.value = null;
    location.reload(); // with the token goes what it has shown
  });
  show();
}

if (facts.needsToken) askForToken();
for (const id of remembered()) {
  const item = new Item({ id });
  add(item, { before: null });
  item.watch();
}
follow();
