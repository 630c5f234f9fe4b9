// Run one task at a time in the worker that converts and straightens.

import { Problem } from "../shared/api.js";
import { facts } from "../shared/texts.js";

// No valid task takes this long; a hanging task would block all that wait behind it.
const LONGEST_MS = 120_000;

let worker = null;
let turn = Promise.resolve();
let last = 0;

// One at a time, so that memory is bounded for any number of files. Rejects with a Problem.
export function inWorker(act, asked, signal) {
  const result = turn.then(() => {
    signal?.throwIfAborted();
    return post(act, asked);
  });
  turn = result.catch(() => {});
  return result;
}

function post(act, asked) {
  worker ??= new Worker(new URL("convert-worker.js", import.meta.url), { type: "module" });
  const id = ++last;
  return new Promise((resolve, reject) => {
    const mine = worker;
    const end = (settle, value) => {
      clearTimeout(timer);
      mine.removeEventListener("message", hear);
      mine.removeEventListener("error", fail);
      settle(value);
    };
    const hear = ({ data }) => {
      if (data.id !== id) return;
      if (data.fault) end(reject, new Problem({ status: 415, ...data.fault }));
      else end(resolve, data.answer);
    };
    const stop = (code, detail) => {
      mine.terminate();
      if (worker === mine) worker = null;
      end(reject, new Problem({ status: 0, code, detail }));
    };
    const fail = ({ message }) => stop("part-missing", message ?? "The worker does not start.");
    const timer = setTimeout(stop, LONGEST_MS, "unreadable-image", `No end after ${LONGEST_MS / 1000} s.`);
    mine.addEventListener("message", hear);
    mine.addEventListener("error", fail);
    mine.postMessage({ id, act, limits: facts.limits, ...asked });
  });
}
