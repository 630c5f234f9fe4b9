// Draw lines over time as SVG, with a sentence and a table that say the same.

import { clock, number, text } from "./texts.js";

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 200;
const LEFT = 48, RIGHT = 8, TOP = 10, BOTTOM = 26;
const STEPS = [1, 2, 5, 10];

function make(name, attributes = {}, content = "") {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.textContent = content;
  return node;
}

// The least of 1, 2, 5, 10, 20 ... (or their tenths) that *most* fits under.
export function ceiling(most) {
  if (!(most > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return power * STEPS.find((step) => step * power >= most * (1 - 1e-9));
}

// Lines of known values; where one is null the line breaks off, and one alone is a dot.
export function path(points) {
  return points.map((point, n) => {
    if (!point) return "";
    const step = `${points[n - 1] ? "L" : "M"}${point[0].toFixed(1)} ${point[1].toFixed(1)}`;
    return points[n - 1] || points[n + 1] ? step : `${step}h0`;
  }).join("");
}

// A figure to be filled by draw(samples) again and again. *lines*: [{name, of(sample)}].
export function plot(host, { title, lines }) {
  const figure = document.createElement("section");
  figure.className = "plot panel";
  const heading = Object.assign(document.createElement("h2"), { textContent: title });
  const svg = make("svg", { role: "img", height: HEIGHT });
  const details = document.createElement("details");
  const summary = Object.assign(document.createElement("summary"), { textContent: text("plot.table") });
  const scroll = Object.assign(document.createElement("div"), { className: "scroll", tabIndex: 0 });
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", title);
  details.append(summary, scroll);
  const key = Object.assign(document.createElement("p"), { className: "key" });
  key.append(...lines.map(({ name }, i) =>
    Object.assign(document.createElement("span"), { textContent: name, className: i ? "second" : "" })));
  figure.append(heading, key, svg, details);
  host.append(figure);
  return (samples) => {
    drawLines(svg, samples, lines);
    svg.setAttribute("aria-label", `${title}. ${lines.map((line) => inWords(line, samples)).join(" ")}`);
    scroll.replaceChildren(tableOf(samples, lines));
  };
}

function drawLines(svg, samples, lines) {
  const width = svg.clientWidth || 600;
  svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  const times = samples.map(({ at }) => Date.parse(at));
  const [first, last] = [times[0], times.at(-1)];
  const known = samples.flatMap((sample) => lines.map(({ of }) => of(sample) ?? 0));
  const top = ceiling(Math.max(0, ...known));
  const x = (time) => LEFT + ((width - LEFT - RIGHT) * (time - first)) / Math.max(1, last - first);
  const y = (value) => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * value) / top;
  svg.replaceChildren();
  for (const value of [0, top / 2, top]) {
    svg.append(make("line", { x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) }));
    svg.append(make("text", { x: LEFT - 8, y: y(value) + 4, "text-anchor": "end" }, number(value, 2)));
  }
  for (const [time, anchor] of [[first, "start"], [last, "end"]]) {
    svg.append(make("text", { x: x(time), y: HEIGHT - 6, "text-anchor": anchor }, clock(time)));
  }
  for (const [i, { of }] of lines.entries()) {
    const points = samples.map((sample, n) => of(sample) === null ? null : [x(times[n]), y(of(sample))]);
    svg.append(make("path", { d: path(points), class: i ? "second" : "" }));
  }
}

function inWords({ name, of }, samples) {
  const values = samples.map(of).filter((value) => value !== null);
  if (!values.length) return text("plot.nothing", { name });
  return text("plot.words", {
    name, least: number(Math.min(...values), 2), most: number(Math.max(...values), 2), last: number(values.at(-1), 2),
  });
}

function tableOf(samples, lines) {
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  for (const name of [text("plot.time"), ...lines.map(({ name }) => name)]) {
    head.append(Object.assign(document.createElement("th"), { scope: "col", textContent: name }));
  }
  const body = table.createTBody();
  for (const sample of [...samples].reverse()) {
    const row = body.insertRow();
    row.insertCell().textContent = clock(Date.parse(sample.at), true);
    for (const { of } of lines) row.insertCell().textContent = of(sample) === null ? "–" : number(of(sample), 2);
  }
  return table;
}
