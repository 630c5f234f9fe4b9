// Write one PDF of several results: a page each, with the PNG's own pixel data and physical size.
//
// A PNG's IDAT is a zlib stream of rows with predictors, which PDF's FlateDecode accepts unchanged.
// app/cli/pdf_pages.py writes the same bytes and explains them; a test compares the two.

// Lengths are integers in thousandths of a point, so that no rounding can differ.
const A4_LONG_SIDE = 841_890n;
const SHORTEST_SIDE = 3_000n;
const LONGEST_SIDE = 14_400_000n;
const FIRST_PAGE = 4;
const OBJECTS_PER_PAGE = 3;
const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const encoder = new TextEncoder();

// *pngs* are Uint8Arrays: 1-bit gray without interlacing, as all results are. Throws for others.
export function pdf(pngs) {
  const pictures = pngs.map(read);
  const objects = [["<< /Type /Catalog /Pages 2 0 R >>"], [pageTree(pictures.length)], ["<< /Producer (Alvura) >>"]];
  for (const [n, picture] of pictures.entries()) objects.push(...page(FIRST_PAGE + OBJECTS_PER_PAGE * n, picture));
  return putTogether(objects);
}

function read(png) {
  if (!SIGNATURE.every((byte, at) => png[at] === byte)) throw new TypeError("a page is not a PNG");
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  const picture = { isPage: false, density: null, data: [] };
  for (let at = 8; at + 12 <= png.length; at += 12 + view.getUint32(at)) {
    const type = String.fromCharCode(...png.subarray(at + 4, at + 8));
    const from = at + 8;
    if (type === "IHDR") {
      // Depth 1, gray, not interlaced.
      const isPage = view.getUint8(from + 8) === 1 && view.getUint8(from + 9) === 0 && view.getUint8(from + 12) === 0;
      Object.assign(picture, { isPage, width: view.getUint32(from), height: view.getUint32(from + 4) });
    } else if (type === "pHYs") {
      const [across, down] = [view.getUint32(from), view.getUint32(from + 4)];
      picture.density = view.getUint8(from + 8) === 1 && across && down ? [across, down] : null;
    } else if (type === "IDAT") picture.data.push(png.subarray(from, from + view.getUint32(at)));
  }
  if (!picture.isPage) throw new TypeError("only 1-bit gray PNGs without interlacing can be pages");
  return picture;
}

function pageTree(count) {
  const kids = Array.from({ length: count }, (_, n) => `${FIRST_PAGE + OBJECTS_PER_PAGE * n} 0 R`).join(" ");
  return `<< /Type /Pages /Count ${count} /Kids [${kids}] >>`;
}

function page(number, picture) {
  const [width, height] = sizeOf(picture).map(points);
  const contents = `q ${width} 0 0 ${height} 0 0 cm /Im Do Q`;
  const about = `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 ${width} ${height}] `
    + `/Contents ${number + 1} 0 R /Resources << /XObject << /Im ${number + 2} 0 R >> >> >>`;
  const image = `/Type /XObject /Subtype /Image /Width ${picture.width} /Height ${picture.height} `
    + "/ColorSpace /DeviceGray /BitsPerComponent 1 /Filter /FlateDecode /DecodeParms "
    + `<< /Predictor 15 /Colors 1 /BitsPerComponent 1 /Columns ${picture.width} >> `;
  return [[about], stream("", [encoder.encode(contents)]), stream(image, picture.data)];
}

function stream(about, data) {
  const bytes = data.reduce((sum, { length }) => sum + length, 0);
  return [`<< ${about}/Length ${bytes} >>\nstream\n`, ...data, "\nendstream"];
}

function sizeOf({ width, height, density }) {
  const sides = [BigInt(width), BigInt(height)];
  if (density) {
    const [w, h] = sides.map((side, i) => divide(side * 720_000_000n, BigInt(density[i]) * 254n));
    const isShown = (side) => side >= SHORTEST_SIDE && side <= LONGEST_SIDE;
    if (isShown(w) && isShown(h)) return [w, h];
  }
  const longest = sides[0] > sides[1] ? sides[0] : sides[1];
  return sides.map((side) => divide(side * A4_LONG_SIDE, longest)).map((side) => (side > SHORTEST_SIDE ? side : SHORTEST_SIDE));
}

function divide(dividend, divisor) {
  return (2n * dividend + divisor) / (2n * divisor);
}

function points(thousandths) {
  return `${thousandths / 1000n}.${String(thousandths % 1000n).padStart(3, "0")}`;
}

function putTogether(objects) {
  const parts = [], offsets = [];
  let size = 0;
  const put = (part) => {
    const bytes = typeof part === "string" ? encoder.encode(part) : part;
    parts.push(bytes);
    size += bytes.length;
  };
  put("%PDF-1.4\n%");
  put(new Uint8Array([0xe2, 0xe3, 0xcf, 0xd3]));
  put("\n");
  for (const [n, content] of objects.entries()) {
    offsets.push(size);
    for (const part of [`${n + 1} 0 obj\n`, ...content, "\nendobj\n"]) put(part);
  }
  const start = size;
  const rows = offsets.map((offset) => `${String(offset).padStart(10, "0")} 00000 n \n`).join("");
  put(`xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${rows}trailer\n`);
  put(`<< /Size ${objects.length + 1} /Root 1 0 R /Info 3 0 R >>\nstartxref\n${start}\n%%EOF\n`);
  return new Blob(parts, { type: "application/pdf" });
}
