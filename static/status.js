// Draw how the service has been doing for half an hour, and go on drawing.

import { plot } from "./plots.js";
import { follow, sentence } from "./service.js";
import { text } from "./texts.js";

const now = document.getElementById("now");
const host = document.getElementById("plots");
let perMinute = 6;
let last = null;

const draws = [
  {
    title: text("plot.throughput"),
    lines: [
      { name: text("plot.processed"), of: ({ processed }) => processed * perMinute },
      { name: text("plot.failed"), of: ({ failed }) => failed * perMinute },
    ],
  },
  {
    title: text("plot.latency"),
    lines: [
      { name: text("plot.p50"), of: ({ p50_s: half }) => half },
      { name: text("plot.p95"), of: ({ p95_s: most }) => most },
    ],
  },
  { title: text("plot.queue"), lines: [{ name: text("plot.waiting"), of: ({ waiting }) => waiting }] },
];
let plots = null;

function draw() {
  if (!last?.samples.length) return;
  perMinute = 60 / last.interval_s;
  plots ??= draws.map((each) => plot(host, each));
  for (const each of plots) each(last.samples);
}

follow((seen) => {
  if (seen?.samples) last = seen;
  // Spoken when it changes; it would be a nuisance every ten seconds.
  const words = seen ? sentence(seen) : text("plot.unknown");
  if (now.textContent !== words) now.textContent = words;
  draw();
});
new ResizeObserver(draw).observe(host);
