// Send a request to an operation of the API from its documentation.

import { token } from "../shared/api.js";

for (const form of document.querySelectorAll("form.try")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    await show(form, await answerTo(requestOf(form)));
    button.disabled = false;
  });
}

// Opens the collapsed section that contains the target of a link.
function unfold() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  target?.closest("details")?.setAttribute("open", "");
  target?.scrollIntoView();
}
addEventListener("hashchange", unfold);
unfold();

document.querySelector("#docs-token input")?.addEventListener("change", ({ target }) => { token.value = target.value.trim(); });

function requestOf(form) {
  let path = form.dataset.path;
  const headers = {}, query = new URLSearchParams(), body = new FormData();
  for (const field of form.querySelectorAll("[data-place]")) {
    const value = field.type === "file" ? field.files[0] : field.value.trim();
    if (!value) continue;
    const { place } = field.dataset;
    if (place === "path") path = path.replace(`{${field.name}}`, encodeURIComponent(value));
    else if (place === "query") query.set(field.name, value);
    else if (place === "header") headers[field.name] = value;
    else body.append(field.name, value);
  }
  const method = form.dataset.verb;
  const hasBody = form.querySelector("[data-place=form]");
  return [path + (query.size ? `?${query}` : ""), { method, headers, ...(hasBody && { body }) }];
}

// The response, whatever its status; null without one.
async function answerTo([path, options]) {
  const held = token.value ? { Authorization: `Bearer ${token.value}` } : {};
  return fetch(path, { ...options, headers: { Accept: "application/json", ...held, ...options.headers } }).catch(() => null);
}

async function show(form, answer) {
  const [result, words, text, image] = [".result", ".result p", ".result pre", ".result img"].map((at) => form.querySelector(at));
  result.hidden = false;
  words.textContent = answer ? `${answer.status} ${answer.statusText}` : form.dataset.lost;
  const isPng = answer?.headers.get("Content-Type") === "image/png";
  image.hidden = !isPng;
  text.hidden = !answer;
  if (!answer) return;
  const headers = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
  if (isPng) image.src = URL.createObjectURL(await answer.blob());
  text.textContent = [headers, isPng ? "" : pretty(await answer.text())].filter(Boolean).join("\n\n");
}

function pretty(text) {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
}
