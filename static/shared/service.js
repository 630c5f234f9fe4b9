// Show the health of the service in one line; show nothing while it is unknown.

import { counted, text } from "./texts.js";

const INTERVAL_MS = 5_000;
const strip = document.getElementById("service");

async function look() {
  const answer = await fetch("/service");
  return answer.ok ? answer.json() : null;
}

export function sentence({ status, queue }) {
  const words = [text(`service.${status}`)];
  const waiting = queue ? queue.waiting + queue.held : 0;
  if (waiting) words.push(counted("service.waiting", waiting));
  return words.join(" · ");
}

// Polls now and every 5 s while the page is visible; *onSeen* gets the health, or null.
export async function follow(onSeen = () => {}) {
  if (!document.hidden) {
    const seen = await look().catch(() => ({ status: "unreachable", queue: null }));
    strip.hidden = !seen;
    if (seen) {
      strip.dataset.status = seen.status;
      strip.firstElementChild.textContent = sentence(seen);
    }
    onSeen(seen);
  }
  setTimeout(() => follow(onSeen), INTERVAL_MS);
}
