// Read numbers as people write them, with a comma or a point, and check them before anything is sent.

import { number, text } from "./texts.js";

// NaN for what is no number.
export function readNumber(written) {
  const plain = written.trim().replace("−", "-").replace(",", ".");
  return /^-?(\d+\.?\d*|\.\d+)$/.test(plain) ? Number(plain) : NaN;
}

// A field that is empty has the default; the browser shows what is wrong with another.
export function isSound(field) {
  const { min, max, whole } = field.dataset;
  const value = readNumber(field.value);
  const isFine = !field.value.trim()
    || (value >= Number(min) && value <= Number(max) && (whole === undefined || Number.isInteger(value)));
  const range = { minimum: number(Number(min), 3), maximum: number(Number(max), 3) };
  field.setCustomValidity(isFine ? "" : text(whole === undefined ? "say.range" : "say.whole-range", range));
  return isFine;
}

// The first field that is not sound is shown, and has the focus.
export function areSound(root) {
  const wrong = [...root.querySelectorAll(".parameter input:enabled")].filter((field) => !isSound(field));
  if (wrong.length) {
    wrong[0].closest("details")?.setAttribute("open", "");
    wrong[0].reportValidity();
  }
  return wrong.length === 0;
}
