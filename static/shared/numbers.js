// Parse numbers with a decimal comma or point, and validate them before sending.

import { number, text } from "./texts.js";

// NaN for anything that is not a number.
export function readNumber(written) {
  const plain = written.trim().replace("−", "-").replace(",", ".");
  return /^-?(\d+\.?\d*|\.\d+)$/.test(plain) ? Number(plain) : NaN;
}

// An empty field has its default; the browser shows the fault of any other invalid field.
export function isSound(field) {
  const { min, max, whole } = field.dataset;
  const value = readNumber(field.value);
  const isFine = !field.value.trim()
    || (value >= Number(min) && value <= Number(max) && (whole === undefined || Number.isInteger(value)));
  const range = { minimum: number(Number(min), 3), maximum: number(Number(max), 3) };
  field.setCustomValidity(isFine ? "" : text(whole === undefined ? "say.range" : "say.whole-range", range));
  return isFine;
}

// Shows and focuses the first invalid field.
export function areSound(root) {
  const wrong = [...root.querySelectorAll(".parameter input:enabled")].filter((field) => !isSound(field));
  if (wrong.length) {
    wrong[0].closest("details")?.setAttribute("open", "");
    wrong[0].reportValidity();
  }
  return wrong.length === 0;
}
