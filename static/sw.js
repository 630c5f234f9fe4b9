// Keep the page itself, so that it opens offline and says so. No image of anybody is ever kept.

const CACHE = "alvura";
// What the page needs to start; a test compares it with what the page loads.
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

// From the server while there is one, so that nothing old is shown; else what was kept.
async function answer(request, path) {
  const cache = await caches.open(CACHE);
  try {
    const found = await fetch(request);
    // Under its path alone: `?lang=en` leads to the page, in the language of the last visit.
    if (found.ok && SHELL.includes(path)) await cache.put(path, found.clone());
    return found;
  } catch (error) {
    const kept = await cache.match(path, { ignoreVary: true });
    if (!kept) throw error;
    return kept;
  }
}
