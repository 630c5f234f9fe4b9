// Show the progress of this visit's images, on the page and in the title of the tab.

import { counted, number, seconds, text } from "../shared/texts.js";

const ENDED = ["processed", "failed", "refused", "gone", "deleted"];
const INTERVAL_MS = 1000;
// An earlier forecast would be too uncertain.
const FORECAST_AFTER_MS = 2000;
const SHARES = { queued: 0.6, lost: 0, held: 0, waiting: 0, converting: 0, looking: 0 };
const panel = document.getElementById("progress");
const title = document.title;
const batch = new Set();
let beganMs = 0;
let ticking = null;

// Adds *item*. If all others have ended, it begins a new count.
export function follow(item) {
  if (batch.has(item)) return;
  if (open() === 0) {
    batch.clear();
    beganMs = Date.now();
  }
  batch.add(item);
  item.addEventListener("change", draw);
  item.addEventListener("gone", () => { batch.delete(item); draw(); });
  ticking ??= setInterval(draw, INTERVAL_MS);
  draw();
}

function count(...states) {
  return [...batch].filter(({ state }) => states.includes(state)).length;
}

function open() {
  return batch.size - count(...ENDED);
}

function shareOf({ state, percent = 0, id }) {
  if (ENDED.includes(state)) return 1;
  return state === "sending" ? percent / 200 : id ? 0.6 : SHARES[state];
}

function draw() {
  panel.hidden = batch.size === 0;
  const failed = count("failed", "refused");
  const words = [counted("say.so-far", batch.size, { ready: number(count("processed")) })];
  if (failed) words.push(counted("say.so-many-failed", failed));
  const left = open() ? forecast() : null;
  panel.firstElementChild.textContent = [...words, ...(left ? [left] : [])].join(" · ");
  panel.dataset.state = open() ? "open" : failed ? "failed" : "done";
  const bar = panel.querySelector("progress");
  bar.hidden = !open();
  bar.value = [...batch].reduce((sum, item) => sum + shareOf(item), 0) / (batch.size || 1);
  // A person who looks at the page has seen the end.
  document.title = batch.size && (open() || document.hidden) ? `${words.join(" · ")} · ${title}` : title;
  if (!open()) { clearInterval(ticking); ticking = null; }
}

// The forecast from the service's pace; none while it does not respond.
function forecast() {
  const done = count("processed", "failed");
  const elapsedMs = Date.now() - beganMs;
  const isHeld = count("lost", "held") === open();
  if (!done || isHeld || elapsedMs < FORECAST_AFTER_MS) return null;
  const leftS = (elapsedMs / 1000 / done) * open();
  const step = leftS < 10 ? 1 : leftS < 60 ? 5 : 15;
  return text("say.left", { time: seconds(Math.ceil(leftS / step) * step) });
}

document.addEventListener("visibilitychange", () => batch.size && draw());
