// Cache the page itself, so that it opens offline and says so. No image is ever cached.

const CACHE = "alvura";
// The files that the page needs to start; a test compares them with what the page loads.
const SHELL = [
  "/", "/static/shared/style.css", "/static/icons/icon.svg", "/static/upload/sheet.svg",
  ...["announce", "api", "images", "names", "notice", "numbers", "service", "texts"].map((name) => `/static/shared/${name}.js`),
  ...["card", "page", "png", "progress", "uploads"].map((name) => `/static/upload/${name}.js`),
];

addEventListener("install", (event) => event.waitUntil(
  caches.open(CACHE).then((cache) => cache.addAll(SHELL)).then(() => skipWaiting()),
));
addEventListener("activate", (event) => event.waitUntil(forgetOld().then(() => clients.claim())));
addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  const { origin, pathname } = new URL(url);
  const isShell = pathname === "/" || pathname.startsWith("/static/");
  if (method === "GET" && origin === location.origin && isShell) event.respondWith(answer(event.request, pathname));
});

// Remove what an earlier release cached under paths that the page no longer loads.
async function forgetOld() {
  const cache = await caches.open(CACHE);
  const requests = await cache.keys();
  const old = requests.filter(({ url }) => !SHELL.includes(new URL(url).pathname));
  return Promise.all(old.map((request) => cache.delete(request)));
}

// From the server if it responds, so that nothing is outdated; otherwise from the cache.
async function answer(request, path) {
  const cache = await caches.open(CACHE);
  try {
    const found = await fetch(request);
    // Cached under the path alone: `?lang=en` opens the page in the language of the last visit.
    if (found.ok && SHELL.includes(path)) await cache.put(path, found.clone());
    return found;
  } catch (error) {
    const kept = await cache.match(path, { ignoreVary: true });
    if (!kept) throw error;
    return kept;
  }
}
