// Show an error or hint in one visible bar, which screen readers announce.

import { announce } from "./announce.js";

const bar = document.getElementById("notice");
let about = null;

// *key* names the subject of the notice, to remove the notice once it no longer applies.
export function notice(sentence, key = null) {
  about = key;
  bar.firstElementChild.textContent = sentence;
  bar.hidden = false;
  announce(sentence);
}

export function takeBack(key) {
  if (about === key) bar.hidden = true;
}

bar.querySelector("button").addEventListener("click", () => { bar.hidden = true; });
