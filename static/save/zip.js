// Put files into a zip without compression: PNGs are compressed already.
//
// PKWARE, APPNOTE.TXT 6.3.10: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT

import { ask } from "../shared/api.js";
import { crc32 } from "../shared/crc32.js";
import { resultName } from "../shared/names.js";

const MOST_BYTES = 2 ** 32 - 1; // Larger archives need other records (section 4.5.3).
const IS_UTF8 = 1 << 11; // section 4.4.4

// Little-endian numbers of 2 and 4 bytes: record([[2, 20], [4, size]]).
function record(fields) {
  const view = new DataView(new ArrayBuffer(fields.reduce((sum, [bytes]) => sum + bytes, 0)));
  let at = 0;
  for (const [bytes, value] of fields) {
    if (bytes === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += bytes;
  }
  return view;
}

// MS-DOS time and date, two-second steps from 1980 (section 4.4.6).
function dos(date) {
  const time = (date.getHours() << 11) | (date.getMinutes() << 5) | (date.getSeconds() >> 1);
  return [[2, time], [2, ((date.getFullYear() - 1980) << 9) | ((date.getMonth() + 1) << 5) | date.getDate()]];
}

// *files* are {name, date, bytes}.
export function zip(files) {
  const parts = [], directory = [];
  let offset = 0, directoryBytes = 0;
  for (const { name, date, bytes } of files) {
    const path = new TextEncoder().encode(name);
    const common = [[2, 20], [2, IS_UTF8], [2, 0], ...dos(date), [4, crc32(bytes)],
      [4, bytes.length], [4, bytes.length], [2, path.length], [2, 0]];
    const local = record([[4, 0x04034b50], ...common]); // section 4.3.7
    const central = record([[4, 0x02014b50], [2, 20], ...common,
      [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]]); // section 4.3.12
    parts.push(local, path, bytes);
    directory.push(central, path);
    offset += local.byteLength + path.length + bytes.length;
    directoryBytes += central.byteLength + path.length;
  }
  if (offset + directoryBytes > MOST_BYTES) throw new RangeError("too large for a zip");
  const end = record([[4, 0x06054b50], [2, 0], [2, 0], [2, files.length], [2, files.length],
    [4, directoryBytes], [4, offset], [2, 0]]); // section 4.3.16
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}

// The results of *images*, each under a unique name.
export async function zipOf(images) {
  const taken = new Map();
  return zip(await Promise.all(images.map(async (image) => {
    const name = resultName(image);
    const n = taken.get(name) ?? 0;
    taken.set(name, n + 1);
    const bytes = new Uint8Array(await (await ask(image.processed.href)).arrayBuffer());
    return { name: n ? name.replace(/\.png$/, ` (${n + 1}).png`) : name, date: new Date(image.processed_at), bytes };
  })));
}
