// Lay two pictures over each other, with a native slider between them, and zoom to true pixels.

import { picture } from "./api.js";
import { methodOf } from "./card.js";
import { clock, number, text } from "./texts.js";

const template = document.getElementById("viewer");

// *sources* are {name, path} or {name, node}; the first lies left, the second right.
export function compare(sources) {
  const viewer = template.content.cloneNode(true).firstElementChild;
  const [left, right] = viewer.querySelectorAll("select");
  const stage = viewer.querySelector(".stage");
  const sheet = viewer.querySelector(".sheet");
  const slider = viewer.querySelector("input");
  const zoom = viewer.querySelector("button");

  for (const [at, select] of [left, right].entries()) {
    select.append(...sources.map(({ name }, i) => new Option(name, i, i === at, i === at)));
    select.addEventListener("change", lay);
  }

  // Measured on what is visible, so that it also works while the sheet is larger than the stage.
  function split() {
    const at = stage.scrollLeft + (stage.clientWidth * slider.value) / 100;
    sheet.style.setProperty("--at", `${at}px`);
    const share = (value) => number(Number(value), 0);
    slider.setAttribute("aria-valuetext", text("say.shares", {
      left: left.selectedOptions[0].text, right: right.selectedOptions[0].text,
      share: share(slider.value), rest: share(100 - slider.value),
    }));
  }

  async function lay() {
    const nodes = await Promise.all([right, left].map((select) => nodeOf(sources[select.value])));
    nodes[1].className = "over";
    sheet.replaceChildren(...nodes);
    for (const node of nodes) node.onload = scale;
    scale();
  }

  function scale() {
    const isTrue = zoom.getAttribute("aria-pressed") === "true";
    const first = sheet.firstElementChild;
    const width = first?.naturalWidth ?? first?.width;
    sheet.style.width = isTrue && width ? `${width / devicePixelRatio}px` : "";
    viewer.classList.toggle("zoomed", isTrue);
    // Only what scrolls needs to be reached by keyboard.
    stage.tabIndex = isTrue ? 0 : -1;
    split();
  }

  function follow(event) {
    if (event.buttons !== 1 || event.pointerType === "touch" && viewer.classList.contains("zoomed")) return;
    const box = stage.getBoundingClientRect();
    slider.value = (100 * (event.clientX - box.left)) / box.width;
    split();
  }

  zoom.addEventListener("click", () => {
    zoom.setAttribute("aria-pressed", String(zoom.getAttribute("aria-pressed") !== "true"));
    scale();
  });
  stage.addEventListener("scroll", split);
  stage.addEventListener("pointerdown", follow);
  stage.addEventListener("pointermove", follow);
  slider.addEventListener("input", split);
  new ResizeObserver(split).observe(stage);
  stage.setAttribute("role", "group");
  stage.setAttribute("aria-label", text("say.stage"));
  lay();
  return viewer;
}

async function nodeOf({ name, path, node }) {
  if (node) return node;
  const image = new Image();
  image.alt = name;
  image.draggable = false;
  image.src = await picture(path);
  return image;
}

// The original and every result of the same file.
export function sourcesOf(item, siblings) {
  const results = [item, ...siblings].map(({ image }) => ({
    name: `${methodOf(image)} (${clock(Date.parse(image.processed_at), true)})`, path: image.processed.href,
  }));
  return [{ name: text("say.original"), path: item.image.original.href }, ...results];
}
