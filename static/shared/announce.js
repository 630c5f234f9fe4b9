// Announce changes to screen readers: politely, each once, several at a time as one sentence.

import { counted } from "./texts.js";

const GATHER_MS = 600;
const MOST = 3;
const region = document.getElementById("announcements");
let pending = [];

export function announce(sentence) {
  if (pending.push(sentence) === 1) setTimeout(flush, GATHER_MS);
}

function flush() {
  const last = pending.at(-1);
  region.textContent = pending.length <= MOST
    ? pending.join(" ") : counted("say.changes", pending.length, { last });
  pending = [];
}
