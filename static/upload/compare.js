// Show two pictures on top of each other, with a native slider between them, on a stage that zooms.

import { picture } from "../shared/api.js";
import { methodOf } from "../shared/names.js";
import { notice } from "../shared/notice.js";
import { Stage } from "./stage.js";
import { clock, number, text } from "../shared/texts.js";

const template = document.getElementById("viewer");

// *sources* are {name, path} or {name, node}; the first is on the left, the second on the right.
// Returns the viewer, and a function that replaces one of the sources.
export function compare(sources) {
  const viewer = template.content.cloneNode(true).firstElementChild;
  const [left, right] = viewer.querySelectorAll("select");
  const frame = viewer.querySelector(".stage");
  const sheet = viewer.querySelector(".sheet");
  const slider = viewer.querySelector("input");
  const stage = new Stage(frame, sheet, splitX);
  let laid = 0;
  let share = 50; // Finer than a slider step, so that the line stays under the pointer.

  for (const [at, select] of [left, right].entries()) {
    select.append(...sources.map(({ name }, i) => new Option(name, i, i === at, i === at)));
    select.addEventListener("change", lay);
  }

  // The share is of the visible part of the picture, so that every slider position has an effect.
  function splitX() {
    const [from, to] = stage.covered;
    return from + ((to - from) * share) / 100;
  }

  function split() {
    sheet.style.setProperty("--at", `${(splitX() - stage.x) / stage.scale}px`);
    frame.style.setProperty("--split", `${splitX()}px`);
        slider.setAttribute("aria-valuetext", text("say.shares", {
      left: left.selectedOptions[0].text, right: right.selectedOptions[0].text,
      share: number(share, 0), rest: number(100 - share, 0),
    }));
    viewer.querySelector(".ratio").textContent = `${number(100 * stage.ratio, 0)}%`;
    viewer.querySelector("[data-view=fit]").setAttribute("aria-pressed", String(stage.isFitted));
    viewer.querySelector("[data-view=true]").setAttribute("aria-pressed", String(Math.abs(stage.ratio - 1) < 1e-6));
  }

  async function lay() {
    const turn = ++laid;
    try {
      const nodes = await Promise.all([right, left].map((select) => nodeOf(sources[select.value])));
      if (turn !== laid) return; // Another source was chosen in the meantime.
      for (const node of nodes) node.classList.toggle("over", node === nodes[1]);
      sheet.replaceChildren(...nodes);
      const sizes = nodes.map((node) => [node.naturalWidth ?? node.width, node.naturalHeight ?? node.height]);
      stage.lay(...sizes.reduce((a, b) => (b[0] > a[0] ? b : a)));
      if (!viewer.dataset.laid && !viewer.closest("dialog")) viewer.scrollIntoView({ block: "nearest" });
      viewer.dataset.laid = turn;
    } catch {
      notice(text("say.no-picture"));
    }
  }

  const views = {
    fit: () => stage.fit(), true: () => stage.zoomTo(1), larger: () => stage.enlarge(), smaller: () => stage.reduce(),
    full: () => document.fullscreenElement ? document.exitFullscreen() : viewer.requestFullscreen().catch(() => {}),
  };
  for (const button of viewer.querySelectorAll("[data-view]")) button.addEventListener("click", views[button.dataset.view]);
  viewer.querySelector("[data-view=full]").hidden = !document.fullscreenEnabled;
  stage.addEventListener("change", split);
  stage.addEventListener("split", ({ detail: x }) => {
    const [from, to] = stage.covered;
    share = Math.min(100, Math.max(0, (100 * (x - from)) / (to - from)));
    slider.value = share;
    split();
  });
  slider.addEventListener("input", () => {
    share = Number(slider.value);
    split();
  });
  lay();
  return { viewer, replace: (at, source) => { sources[at] = source; return lay(); } };
}

// Resolves once the size is known. A picture may be on both sides at once, so each gets a node.
async function nodeOf({ name, path, node }) {
  if (node) return node;
  const image = new Image();
  image.alt = name;
  image.draggable = false;
  image.src = await picture(path);
  await image.decode();
  return image;
}

// The original and every result of the same file.
export function sourcesOf(item, siblings) {
  const results = [item, ...siblings].map(({ image }) => ({
    name: `${methodOf(image)} (${clock(Date.parse(image.processed_at), true)})`, path: image.processed.href,
  }));
  return [{ name: text("say.original"), path: item.image.original.href }, ...results];
}
