// Load the styles of rarely used dialogs, and show dialogs.

const loading = new Map();

// Resolves once static/*name*.css is applied; *name* has its folder.
export function styled(name) {
  if (!loading.has(name)) loading.set(name, load(`/static/${name}.css`));
  loading.get(name).catch(() => loading.delete(name));
  return loading.get(name);
}

function load(href) {
  return new Promise((resolve, reject) => {
    const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href });
    link.onload = resolve;
    link.onerror = () => { link.remove(); reject(new Error(href)); };
    document.head.append(link);
  });
}

// Shows *dialog*; resolves with the value of the button that closed it, "" for Escape.
export async function ask(dialog) {
  // Screen readers ignore everything outside a modal dialog, so the live region moves into it.
  const region = document.getElementById("announcements");
  const place = document.createComment("announcements");
  region.replaceWith(place);
  dialog.append(region);
  dialog.returnValue = "";
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  place.replaceWith(region);
  return dialog.returnValue;
}

export function save(blob, name) {
  const address = URL.createObjectURL(blob);
  Object.assign(document.createElement("a"), { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
