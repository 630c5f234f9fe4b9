// Find the files of folders, in the order of their names, and leave out what is no scan.

// *entries* are of a drop: files and folders.
export async function filesIn(entries) {
  return (await Promise.all(entries.map(walk))).flat();
}

async function walk(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  return filesIn(await childrenOf(entry.createReader()));
}

// A reader gives a hundred at a time, and nothing when there are no more.
async function childrenOf(reader) {
  const all = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return sorted(all);
    all.push(...some);
  }
}

// "page 2" before "page 10".
export function sorted(named) {
  const nameOf = ({ webkitRelativePath, name }) => webkitRelativePath || name;
  return [...named].sort((a, b) => nameOf(a).localeCompare(nameOf(b), undefined, { numeric: true }));
}

// What a folder holds beside pictures and documents, nobody wished to send.
export function isScan({ type, name }) {
  return /^image\/|^application\/pdf$/.test(type) || /\.(png|jpe?g|webp|bmp|gif|avif|hei[cf]|tiff?|pdf)$/i.test(name);
}
