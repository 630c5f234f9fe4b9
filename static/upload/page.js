// Set up the page: files come from a dialog, a drop or a paste, and each becomes a card in the list.

import { ask } from "../shared/api.js";
import { Card } from "./card.js";
import { Item, keepOrder, onChange, remembered, rememberedName } from "../shared/images.js";
import { notice, takeBack } from "../shared/notice.js";
import { areSound, isSound } from "../shared/numbers.js";
import * as progress from "./progress.js";
import { follow } from "../shared/service.js";
import { counted, facts, reasonOf, text } from "../shared/texts.js";
import { enableChosen, enqueue, enqueueFirst, fieldsOf, isBusy } from "./uploads.js";

const form = document.getElementById("upload");
const [input, folder] = form.querySelectorAll("[type=file]");
const drop = form.querySelector(".drop");
const camera = document.getElementById("camera");
const section = document.getElementById("images");
const list = document.getElementById("cards");
const saveAll = document.getElementById("save-all");
const savePdf = document.getElementById("save-pdf");
const againAll = document.getElementById("again-all");
const forget = document.getElementById("forget");
const WITHOUT_RESULT = ["refused", "gone", "deleted", "failed"];
// The share of an element that has to be visible.
const SEEN_PX = 160;
const items = new Set();
const shown = new WeakMap();

input.multiple = true;
// Without script the service gets the file itself. HEIC is not accepted: iPhones then send JPEG.
input.accept = "image/png,image/jpeg,image/webp,image/avif,image/gif,image/bmp,image/tiff,.tif,.tiff,application/pdf";
// `k@sauvola` is for the form without script, which sends the fields of all methods.
for (const field of form.querySelectorAll(".parameter input")) [field.name] = field.name.split("@");

function add(item, { before = list.firstChild } = {}) {
  items.add(item);
  const card = new Card(item, { siblings, onAgain: (source) => again([source]), onStraighten: straightenAgain });
  list.insertBefore(card.node, before);
  shown.set(card.node, item);
  item.card = card;
  if (item.file || item.page) progress.follow(item);
  item.addEventListener("change", ({ detail }) => {
    if (detail === item.state) return;
    if (item.state === "queued") progress.follow(item);
    count();
    if (item.state === "queued") keepListed();
  });
  item.addEventListener("gone", () => { items.delete(item); count(); });
  item.addEventListener("pages", ({ detail: pages }) => {
    for (const page of pages) add(page, { before: card.node });
    enqueueFirst(pages);
  });
  count();
  return card;
}

// In list order.
function listed() {
  return [...list.children].map((node) => shown.get(node)).filter((item) => items.has(item));
}

function finished() {
  return listed().filter(({ state }) => state === "processed");
}

// Puts *order* into the list positions that its items have now.
function place(order) {
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  const moved = new Set(order), next = order.values();
  list.append(...listed().map((item) => (moved.has(item) ? next.next().value : item).card.node));
  focused?.focus({ preventScroll: true });
}

function arrange(order) {
  place(order);
  keepListed();
}

function keepListed() {
  keepOrder(listed().map(({ id }) => id).filter(Boolean));
}

// The other results of the same file.
function siblings(item) {
  const sha256 = item.image.original?.sha256;
  return finished().filter((other) => other !== item && sha256 && other.image.original?.sha256 === sha256);
}

function count() {
  const ready = finished().length;
  section.hidden = items.size === 0;
  document.body.classList.toggle("working", items.size > 0);
  savePdf.hidden = ready < 1;
  saveAll.hidden = againAll.hidden = ready < 2;
  saveAll.textContent = counted("say.save-all", ready);
  againAll.textContent = counted("say.again-all", ready);
  forget.hidden = ![...items].some(({ state }) => WITHOUT_RESULT.includes(state));
}

// --- files ---

async function take(files) {
  if (!files.length || !areSound(form)) return;
  const fields = fieldsOf(form);
  const taken = [...files].map((file) => new Item({ file, name: file.name, fields, state: "waiting" }));
  // The first chosen file is at the top, and is sent first.
  for (const [n, item] of [...taken].reverse().entries()) {
    if (n % 4 === 3) await new Promise(setTimeout); // Yield a frame, for any number of files.
    add(item);
  }
  taken.forEach(enqueue);
  show(section);
}

// Scroll to the result of the last action.
function show(node) {
  const { top } = node.getBoundingClientRect();
  if (top < 0 || top > innerHeight - SEEN_PX) node.scrollIntoView();
}

async function takeFolder(found) {
  const { isScan, sorted } = await import("./folders.js");
  const scans = sorted([...found].filter(isScan));
  const others = [...found].filter((file) => !isScan(file) && !file.name.startsWith(".")).length;
  if (!scans.length) notice(text("say.empty-folder"));
  else if (others) notice(counted("say.skipped", others));
  take(scans);
}

async function takeDropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.());
  if (!entries.some((entry) => entry?.isDirectory)) return take(transfer.files);
  const found = entries.filter(Boolean); // Requested before any await, since the entries are valid only during this event.
  const { filesIn } = await import("./folders.js");
  await takeFolder(await filesIn(found));
}

// --- again ---

async function again(sources) {
  try {
    const { askAgain } = await import("./again.js");
    const answer = await askAgain(sources);
    if (!answer) return;
    const repeated = await Promise.all(sources.map((source) => repeat(source, answer)));
    const [first] = repeated.filter(Boolean);
    if (!first) return;
    show(first.card.node);
    first.card.find("h3").focus();
  } catch (problem) {
    notice(reasonOf(problem));
  }
}

async function straightenAgain(source) {
  try {
    const { straightCopy } = await import("../convert/straighten.js");
    await straightCopy(source, (item) => {
      show(add(item, { before: source.card.node }).node);
      enqueue(item);
      item.card.find("h3").focus();
    });
  } catch (problem) {
    notice(reasonOf(problem));
  }
}

// The new card is above its source until it is ready, then replaces it if so chosen.
async function repeat(source, { fields, replace }) {
  try {
    const file = source.file ?? await (await ask(source.image.original.href)).blob();
    const item = new Item({ file, name: source.title, fields, state: "waiting" });
    add(item, { before: source.card.node });
    if (["refused", "gone", "deleted"].includes(source.state)) source.forget();
    else if (replace) onceReady(item, () => source.card.remove());
    enqueue(item);
    return item;
  } catch (problem) {
    notice(reasonOf(problem));
    return null;
  }
}

function onceReady(item, act) {
  const look = () => {
    if (item.state !== "processed") return;
    item.removeEventListener("change", look);
    act();
  };
  item.addEventListener("change", look);
}

againAll.addEventListener("click", () => again(finished()));

for (const source of [input, camera]) {
  source.addEventListener("change", () => {
    take(source.files);
    source.value = "";
  });
}
folder.addEventListener("change", async () => {
  await takeFolder(folder.files);
  folder.value = "";
});
folder.closest("label").hidden = !("webkitdirectory" in folder);
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("change", () => {
  enableChosen(form);
  document.getElementById("chosen").textContent = facts.methods[fieldsOf(form).method];
});
document.addEventListener("change", ({ target }) => {
  if (target.matches(".parameter input") && !isSound(target)) target.reportValidity();
});

function isOfFiles(event) {
  return event.dataTransfer?.types.includes("Files");
}
for (const type of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(type, (event) => {
    if (!isOfFiles(event)) return;
    event.preventDefault(); // A file dropped outside the target must not replace the page.
    drop.classList.toggle("over", type === "dragover");
    if (type === "drop") takeDropped(event.dataTransfer);
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
    const { zipOf } = await import("../save/zip.js");
    const address = URL.createObjectURL(await zipOf(finished().map(({ image }) => image)));
    Object.assign(document.createElement("a"), { href: address, download: "alvura.zip" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  } catch {
    notice(text("say.zip-failed"));
  } finally {
    saveAll.disabled = false;
  }
});

savePdf.addEventListener("click", async () => {
  try {
    const { askForPdf } = await import("../save/one-pdf.js");
    await askForPdf(finished(), arrange);
  } catch {
    notice(text("say.pdf-failed"));
  }
});

forget.addEventListener("click", () => {
  for (const item of [...items]) {
    if (WITHOUT_RESULT.includes(item.state)) item.forget();
  }
  input.focus();
});

// Show the stored list: at the start, and when another tab has changed it.
function recall(ids) {
  const known = new Map([...items].map((item) => [item.id, item]));
  for (const [n, id] of ids.entries()) {
    if (known.has(id)) continue;
    const item = new Item({ id, name: rememberedName(id) });
    add(item, { before: ids.slice(n + 1).map((next) => known.get(next)?.card.node).find(Boolean) ?? null });
    known.set(id, item);
    item.watch(25 * n);
  }
  for (const [id, item] of known) {
    if (id && !ids.includes(id) && item.state !== "deleted") item.forget();
  }
  const shared = ids.map((id) => known.get(id));
  if (listed().filter((item) => shared.includes(item)).some((item, at) => item !== shared[at])) place(shared);
}

if (facts.needsToken) import("./token.js").then(({ askForToken }) => askForToken());
recall(remembered());
onChange(recall);
let isAway = false;
follow((seen) => {
  const wasAway = isAway;
  isAway = seen?.status === "unreachable";
  if (isAway && !wasAway) notice(text("say.away"), "away");
  if (!isAway) takeBack("away");
});
navigator.serviceWorker?.register("/sw.js").catch(() => {}); // Private windows may have no service worker.
enableChosen(form);
if (input.files.length) { // Files chosen before this script ran.
  take(input.files);
  input.value = "";
}
