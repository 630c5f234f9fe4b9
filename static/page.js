// Send one image, ask for its state until it is final, show both pictures side by side.

const form = document.getElementById("upload");
const input = document.getElementById("image");
const drop = document.querySelector(".drop");
const button = form.querySelector("button");
const state = document.getElementById("state");
const result = document.getElementById("result");

const PAUSE_MS = 700;
const DEADLINE_MS = 120_000;

function say(sentence, bad = false) {
  state.textContent = sentence;
  state.classList.toggle("bad", bad);
}

function size(bytes) {
  return bytes < 10_000 ? `${bytes} bytes`
    : bytes < 1e6 ? `${Math.round(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

async function answerOf(response) {
  const body = await response.json().catch(() => null);
  if (response.ok && body) return body;
  throw new Error(body?.detail ?? `The server answered with status ${response.status}.`);
}

async function finished(place) {
  const deadline = Date.now() + DEADLINE_MS;
  while (Date.now() < deadline) {
    const image = await answerOf(await fetch(place));
    if (image.status !== "queued") return image;
    say(`${image.original.filename ?? "The image"} is in the queue …`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  throw new Error(`Not ready after ${DEADLINE_MS / 1000} s; it can still come: ${place}`);
}

function show(image) {
  const { original, processed } = image;
  document.getElementById("original").src = original.href;
  document.getElementById("processed").src = processed.href;
  document.getElementById("original-caption").textContent = `Original, ${size(original.bytes)}`;
  document.getElementById("processed-caption").textContent =
    `Black and white, ${size(processed.bytes)}, by ${image.method} in ${processed.processing_ms} ms`;
  const download = document.getElementById("download");
  download.href = processed.href;
  download.download = (original.filename ?? image.image_id).replace(/\.[^.]*$/, "") + "-bw.png";
  result.hidden = false;
  say(`${original.filename ?? "The image"} is ready.`);
}

async function send() {
  const file = input.files[0];
  if (!file) return say("Choose a PNG first.", true);
  if (file.size > Number(form.dataset.maxBytes)) {
    return say(`${file.name} has ${size(file.size)}; the limit is ${size(Number(form.dataset.maxBytes))}.`, true);
  }
  button.disabled = true;
  result.hidden = true;
  try {
    say(`Sending ${file.name} …`);
    const image = await answerOf(await fetch("/upload", { method: "POST", body: new FormData(form) }));
    const final = await finished(`/images/${image.image_id}`);
    if (final.status === "failed") throw new Error(final.error.detail);
    show(final);
  } catch (error) {
    say(error instanceof TypeError ? "The server cannot be reached." : error.message, true);
  } finally {
    button.disabled = false;
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});

for (const [type, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
  drop.addEventListener(type, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", over);
  });
}
drop.addEventListener("drop", (event) => {
  if (!event.dataTransfer.files.length) return;
  input.files = event.dataTransfer.files;
  send();
});
