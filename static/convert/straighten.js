// Let the user mark the page in a photograph: four corners, moved by pointer or keys.

import { ask } from "../shared/api.js";
import { ask as show, styled } from "../shared/dialogs.js";
import { Item } from "../shared/images.js";
import { inWorker } from "./in-worker.js";
import { announce } from "../shared/announce.js";
import { number, text } from "../shared/texts.js";

const WHOLE = [[0, 0], [1, 0], [1, 1], [0, 1]];
const NAMES = ["straighten.above-left", "straighten.above-right", "straighten.below-right", "straighten.below-left"];
const STEP = 0.01, SMALL_STEP = 0.002;
const LOUPE_ZOOM = 2;
// Corners closer than this do not form a page.
const LEAST_AREA = 0.01;
const dialog = document.getElementById("straighten");
const [canvas, loupe] = dialog.querySelectorAll("canvas");
const handles = [...dialog.querySelectorAll(".corner")];
const [proposal, chosen] = dialog.querySelectorAll("path");
const says = dialog.querySelector(".says");
const go = dialog.querySelector("[value=go]");
const tool = (value) => dialog.querySelector(`.tools [value=${value}]`);

let photo = null;
let found = null;
let corners = WHOLE; // In the stored photograph, from 0 to 1.
let turns = 0; // Quarter turns to the right of the displayed photograph.
let queue = Promise.resolve();

// Resolves with the worker's result for *file*; "as-is" to keep the file, "rest" to keep all others too.
// Opens one dialog at a time. *isSent*: the file is uploaded in any case.
export function straighten(file, name, { isSent = false, signal, isWanted = () => true } = {}) {
  const answer = queue.then(() => (signal?.aborted || !isWanted() ? "as-is" : askAbout(file, name, isSent, signal)));
  queue = answer.catch(() => {});
  return answer;
}

// *begin* gets the straightened page of *source*, to be processed in the same way, unless skipped.
export async function straightCopy({ file, fields, image, title }, begin) {
  const original = file ?? await (await ask(image.original.href)).blob();
  const made = await straighten(original, title);
  if (!made.png) return;
  const given = Object.entries(image?.parameters ?? {}).filter(([, value]) => value !== null);
  begin(new Item({
    file: made.png, thumb: made.thumb, name: title, note: text("say.straightened"), state: "waiting",
    fields: fields ?? Object.fromEntries([["method", image.method], ...given]),
  }));
}

async function askAbout(file, name, isSent, signal) {
  await styled("shared/dialogs");
  const looked = await inWorker("look", { file }, signal);
  [photo, found, corners, turns] = [looked.shown, looked.corners, WHOLE, 0];
  dialog.querySelector("b").textContent = name;
  go.textContent = text(isSent ? "straighten.send" : "straighten.go");
  dialog.querySelector("[value=as-is]").textContent = text(isSent ? "straighten.as-is" : "straighten.close");
  dialog.querySelector("[value=rest]").hidden = !isSent;
  tool("propose").disabled = !found;
  says.textContent = text(found ? "straighten.found" : "straighten.not-found");
  draw();
  const answer = await show(dialog);
  photo.close();
  if (answer !== "go") return answer || "as-is";
  return inWorker("straighten", { file, corners: read(corners) }, signal);
}

// --- display ---

// The position of a point of the photograph after the turns, and the inverse.
function turned([x, y], times) {
  for (let n = 0; n < (times + 4) % 4; n++) [x, y] = [1 - y, x];
  return [x, y];
}

// The corners in reading orientation after the turns: top left first.
function read(points) {
  return points.map((_, i) => points[(i + 4 - turns) % 4]);
}

function draw() {
  const [width, height] = turns % 2 ? [photo.height, photo.width] : [photo.width, photo.height];
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.translate(width / 2, height / 2);
  context.rotate((turns * Math.PI) / 2);
  context.drawImage(photo, -photo.width / 2, -photo.height / 2);
  place();
}

function place() {
  const path = (points) => `M${points.map((point) => turned(point, turns).join(" ")).join("L")}Z`;
  chosen.setAttribute("d", path(corners));
  proposal.setAttribute("d", found && corners !== found ? path(found) : "");
  for (const [i, handle] of handles.entries()) {
    const [x, y] = turned(corners[i], turns);
    handle.style.left = `${100 * x}%`;
    handle.style.top = `${100 * y}%`;
    handle.setAttribute("aria-label", named(i));
  }
  go.disabled = !isPage(corners);
}

function named(i) {
  const [x, y] = turned(corners[i], turns).map((share) => number(100 * share, 1));
  return text(NAMES[(i + turns) % 4], { x, y });
}

// Convex, clockwise, and of a minimum size.
function isPage(points) {
  const bends = points.map(([x, y], i) => {
    const [x1, y1] = points[(i + 1) % 4], [x2, y2] = points[(i + 2) % 4];
    return (x1 - x) * (y2 - y1) - (y1 - y) * (x2 - x1);
  });
  return bends.every((bend) => bend > LEAST_AREA / 4);
}

// --- corners ---

function move(i, [x, y]) {
  const bound = (value) => Math.min(1, Math.max(0, value));
  corners = corners.map((corner, n) => (n === i ? turned([bound(x), bound(y)], -turns) : corner));
  place();
}

for (const [i, handle] of handles.entries()) {
  handle.addEventListener("keydown", (event) => {
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [];
    if (dx === undefined) return;
    event.preventDefault();
    const step = event.shiftKey ? SMALL_STEP : STEP;
    const [x, y] = turned(corners[i], turns);
    move(i, [x + step * dx, y + step * dy]);
    announce(named(i));
  });
  handle.addEventListener("pointerdown", (event) => drag(i, event));
}

function drag(i, start) {
  const { target, pointerId } = start;
  const box = canvas.getBoundingClientRect();
  const [x, y] = turned(corners[i], turns);
  // Keep the offset between the finger and the corner.
  const off = [start.clientX - box.left - x * box.width, start.clientY - box.top - y * box.height];
  target.setPointerCapture(pointerId);
  const follow = ({ clientX, clientY }) => {
    move(i, [(clientX - box.left - off[0]) / box.width, (clientY - box.top - off[1]) / box.height]);
    magnify(i);
  };
  const end = () => {
    target.removeEventListener("pointermove", follow);
    loupe.hidden = true;
    announce(named(i));
  };
  target.addEventListener("pointermove", follow);
  target.addEventListener("lostpointercapture", end, { once: true });
}

// A magnifier of the area under the finger, on the other side of the photograph.
function magnify(i) {
  const [x, y] = turned(corners[i], turns);
  const context = loupe.getContext("2d");
  const { width } = loupe, source = width / LOUPE_ZOOM;
  loupe.hidden = false;
  loupe.classList.toggle("right", x < 0.5);
  context.fillRect(0, 0, width, width);
  context.drawImage(canvas, x * canvas.width - source / 2, y * canvas.height - source / 2, source, source, 0, 0, width, width);
  context.strokeStyle = "#00e0b8";
  context.strokeRect(width / 2 - 0.5, 0, 1, width);
  context.strokeRect(0, width / 2 - 0.5, width, 1);
}

// --- tools ---

tool("propose").addEventListener("click", () => {
  corners = found;
  place();
  say("straighten.proposed");
});
tool("all").addEventListener("click", () => {
  corners = WHOLE;
  place();
  say("straighten.whole");
});
for (const [value, by] of [["left", 3], ["right", 1]]) {
  tool(value).addEventListener("click", () => {
    turns = (turns + by) % 4;
    draw();
    announce(text("straighten.turned", { degrees: number(90 * turns) }));
  });
}

function say(key) {
  says.textContent = text(key);
  announce(text(key));
}
