// Say in one visible bar what went wrong or what to know; screen readers hear it too.

import { speak } from "./speak.js";

const bar = document.getElementById("notice");
let about = null;

// *key* names what the notice is about, so that it can be taken back when that is over.
export function notice(sentence, key = null) {
  about = key;
  bar.firstElementChild.textContent = sentence;
  bar.hidden = false;
  speak(sentence);
}

export function takeBack(key) {
  if (about === key) bar.hidden = true;
}

bar.querySelector("button").addEventListener("click", () => { bar.hidden = true; });
