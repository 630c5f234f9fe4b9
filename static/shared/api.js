// Call the API: token, refusals and lost connections as errors, uploads with progress.

const TOKEN = "alvura.token";

export class Problem extends Error {
  constructor({ code = "internal-error", detail = "", status = 500 }, retryAfterS = 0) {
    super(detail);
    Object.assign(this, { code, detail, status, retryAfterS });
  }

  // Whether the same request can succeed later, unchanged.
  get isTransient() {
    return this.status === 429 || this.status >= 500;
  }
}

export class Lost extends Error {}

let held = null; // The token, where the browser has no storage.

export const token = {
  get value() {
    try { return sessionStorage.getItem(TOKEN) ?? held; } catch { return held; }
  },
  set value(given) {
    held = given || null;
    try {
      if (given) sessionStorage.setItem(TOKEN, given);
      else sessionStorage.removeItem(TOKEN);
    } catch { /* it lasts as long as the page */ }
    document.dispatchEvent(new Event("token"));
  },
};

function authorization() {
  return token.value ? { Authorization: `Bearer ${token.value}` } : {};
}

function problemOf(body, status, retryAfter) {
  if (status === 401) document.dispatchEvent(new Event("unauthorized"));
  try {
    return new Problem({ status, ...JSON.parse(body) }, Number(retryAfter) || 0);
  } catch {
    return new Problem({ status }, Number(retryAfter) || 0); // for example a proxy's own error page
  }
}

// Rejects with Lost without a response, with a Problem when the request is refused.
export async function ask(path, options = {}) {
  const sent = { ...options, headers: { ...authorization(), ...options.headers } };
  const answer = await fetch(path, sent).catch(() => { throw new Lost(path); });
  if (answer.ok) return answer;
  const body = await answer.text().catch(() => "");
  throw problemOf(body, answer.status, answer.headers.get("Retry-After"));
}

// Uses XMLHttpRequest, since fetch reports no upload progress. Resolves with the representation.
export function send(form, key, { onProgress, signal }) {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const request = new XMLHttpRequest();
    request.open("POST", "/upload");
    request.setRequestHeader("Idempotency-Key", key);
    for (const [name, value] of Object.entries(authorization())) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => onProgress(Math.floor((100 * loaded) / total));
    request.onload = () => {
      const { status, responseText: body } = request;
      if (status >= 300) return reject(problemOf(body, status, request.getResponseHeader("Retry-After")));
      try { resolve(JSON.parse(body)); } catch { reject(new Lost("/upload")); } // a captive portal, say
    };
    request.onerror = () => reject(new Lost("/upload"));
    signal.addEventListener("abort", () => request.abort());
    request.onabort = () => reject(signal.reason);
    request.send(form);
  });
}

const pictures = new Map();

// A URL for <img>, which cannot send a token: with a token, the picture is fetched here.
export function picture(path) {
  if (!token.value) return path;
  if (!pictures.has(path)) {
    const address = ask(path).then((answer) => answer.blob()).then((blob) => URL.createObjectURL(blob));
    address.catch(() => pictures.delete(path));
    pictures.set(path, address);
  }
  return pictures.get(path);
}

export function release(path) {
  pictures.get(path)?.then(URL.revokeObjectURL, () => {});
  pictures.delete(path);
}

// Waits *ms*, or until the network, a token or the user triggers an earlier retry.
export function pause(ms, nudges) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      document.removeEventListener("token", done);
      nudges.removeEventListener("nudge", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    addEventListener("online", done);
    document.addEventListener("token", done);
    nudges.addEventListener("nudge", done);
  });
}
