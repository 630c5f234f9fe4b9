// Bring the style of the dialogs that most visits never open.

let loading = null;

export function styled() {
  loading ??= new Promise((resolve, reject) => {
    const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: "/static/dialogs.css" });
    link.onload = resolve;
    link.onerror = () => { loading = null; link.remove(); reject(new Error(link.href)); };
    document.head.append(link);
  });
  return loading;
}

// Resolves when the dialog is closed, with the value of the button that did it; "" for Escape.
export async function shown(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  return dialog.returnValue;
}

export function save(blob, name) {
  const address = URL.createObjectURL(blob);
  Object.assign(document.createElement("a"), { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
