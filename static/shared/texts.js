// Texts in the page's language: sentences from the catalogue, numbers, sizes and times by locale.

export const facts = JSON.parse(document.getElementById("facts").textContent);
const locale = document.documentElement.lang;

export function text(key, values = {}) {
  const found = facts.texts[key];
  if (found === undefined) throw new Error(`no text ${key}`);
  return found.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

// CLDR treats 0 as singular in Portuguese; people write "0 imagens".
export function counted(key, n, values = {}) {
  const form = n === 1 ? "one" : "other";
  return text(`${key}.${form}`, { n: number(n), ...values });
}

// The problem in the user's language; the server's own sentence follows it.
export function why(code) {
  return facts.texts[`problem.${code}`] ?? text("problem.internal-error");
}

// The text for any error: no response, a refusal, or a module that could not be loaded.
export function reasonOf(problem) {
  return problem.code ? why(problem.code) : text("say.unreachable");
}

const formats = {};

function formatted(value, style) {
  return (formats[Object.values(style)] ??= new Intl.NumberFormat(locale, style)).format(value);
}

export function number(value, digits = 1) {
  return formatted(value, { maximumFractionDigits: digits });
}

function unit(value, name, digits, display = "short") {
  const style = { style: "unit", unit: name, unitDisplay: display, maximumFractionDigits: digits };
  return formatted(value, style).replace(" ", "\u00a0");
}

export function size(bytes) {
  if (bytes < 1000) return unit(bytes, "byte", 0, "long");
  if (bytes < 1e6) return unit(bytes / 1000, "kilobyte", bytes < 10_000 ? 1 : 0);
  return unit(bytes / 1e6, "megabyte", 1);
}

export function seconds(s) {
  if (s < 1) return unit(s * 1000, "millisecond", 0);
  if (s < 60) return unit(s, "second", s < 10 ? 1 : 0, "narrow");
  return `${unit(Math.floor(s / 60), "minute", 0, "narrow")} ${unit(Math.floor(s % 60), "second", 0, "narrow")}`;
}

export function until(moment) {
  const hours = (moment - Date.now()) / 3_600_000;
  const words = new Intl.RelativeTimeFormat(locale, { numeric: "always" });
  // Rounded down: an image kept for seven days must still exist on the seventh.
  return hours < 36 ? words.format(Math.floor(hours), "hour") : words.format(Math.floor(hours / 24), "day");
}

export function clock(moment, withSeconds = false) {
  const style = { hour: "2-digit", minute: "2-digit", ...(withSeconds && { second: "2-digit" }) };
  return new Intl.DateTimeFormat(locale, style).format(moment);
}
