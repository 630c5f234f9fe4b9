// The display names of results and methods.

import { facts, number } from "./texts.js";

// "Sauvola, window 25, k 0.35". A label that is part of the method's name is not repeated.
export function methodOf({ method, parameters, processed }) {
  const name = facts.methods[method] ?? method ?? "";
  const given = { threshold: processed?.threshold, ...parameters };
  return Object.entries(given).filter(([, value]) => value !== null && value !== undefined)
    .reduce((words, [key, value]) => words + labelled((facts.labels[key] ?? key).toLowerCase(), name) + number(value, 3), name);
}

function labelled(label, name) {
  return name.toLowerCase().includes(label) ? " " : `, ${label} `;
}

export function resultName(image) {
  return `${(image.original?.filename ?? image.image_id).replace(/\.[^.]*$/, "")}-bw.png`;
}
