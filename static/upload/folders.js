// List the files of folders, sorted by name, without files that cannot be scans.

// *entries* are the dropped files and folders.
export async function filesIn(entries) {
  return (await Promise.all(entries.map(walk))).flat();
}

async function walk(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  return filesIn(await childrenOf(entry.createReader()));
}

// A reader returns up to a hundred entries at a time, and an empty list at the end.
async function childrenOf(reader) {
  const all = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return sorted(all);
    all.push(...some);
  }
}

// Sorts "page 2" before "page 10".
export function sorted(named) {
  const nameOf = ({ webkitRelativePath, name }) => webkitRelativePath || name;
  return [...named].sort((a, b) => nameOf(a).localeCompare(nameOf(b), undefined, { numeric: true }));
}

// Files in a folder that are neither pictures nor documents are skipped.
export function isScan({ type, name }) {
  return /^image\/|^application\/pdf$/.test(type) || /\.(png|jpe?g|webp|bmp|gif|avif|hei[cf]|tiff?|pdf)$/i.test(name);
}
