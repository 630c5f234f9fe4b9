// Cache the page itself, so that it opens offline and says so. No image is ever cached.

const CACHE = "alvura";
// The files that the page needs to start; a test compares them with what the page loads.
const SHELL = [
  "/", "/static/style.css", "/static/icon.svg", "/static/sheet.svg",
  ...["api", "card", "images", "names", "notice", "numbers", "page", "png", "progress", "service", "speak", "texts", "uploads"]
    .map((name) => `/static/${name}.js`),
];

addEventListener("install", (event) => event.waitUntil(
  caches.open(CACHE).then((cache) => cache.addAll(SHELL)).then(() => skipWaiting()),
));
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  const { origin, pathname } = new URL(url);
  const isShell = pathname === "/" || pathname.startsWith("/static/");
  if (method === "GET" && origin === location.origin && isShell) event.respondWith(answer(event.request, pathname));
});

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
