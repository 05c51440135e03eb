// Numbers as an operator reads them. Each function takes null for "unknown".

export const UNKNOWN = "–";

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/** Three digits, and none where nothing stands behind the point: 0.51, 9.30, 48.2, 512, 4. */
function digits(value) {
  if (Math.abs(value - Math.round(value)) < 1e-9) return Math.round(value).toString();
  if (value >= 99.95) return Math.round(value).toString();
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

/** [number, unit], to be set in different sizes. */
export function bytesParts(value) {
  if (value == null) return [UNKNOWN, ""];
  let power = 0;
  let scaled = value;
  while (scaled >= 1023.5 && power < BYTE_UNITS.length - 1) {
    scaled /= 1024;
    power += 1;
  }
  return [power === 0 ? Math.round(scaled).toString() : digits(scaled), BYTE_UNITS[power]];
}

export function rateParts(value) {
  const [number, unit] = bytesParts(value);
  return [number, unit && `${unit}/s`];
}

export function secondsParts(value) {
  if (value == null) return [UNKNOWN, ""];
  if (value === 0) return ["0", "ms"];
  if (value < 0.9995e-3) return [digits(value * 1e6), "µs"];
  if (value < 0.9995) return [digits(value * 1e3), "ms"];
  return [digits(value), "s"];
}

export function ratioParts(value) {
  if (value == null) return [UNKNOWN, ""];
  const percent = value * 100;
  // 99.97 % must not read as if nothing were missed.
  return [percent > 99.9 && percent < 100 ? "> 99.9" : percent.toFixed(percent === 0 || percent === 100 ? 0 : 1), "%"];
}

/** Whole numbers below 10,000 as they are, above as 12.3 k; small rates with their fraction. */
export function countParts(value) {
  if (value == null) return [UNKNOWN, ""];
  if (value >= 999_500) return [digits(value / 1e6), "M"];
  if (value >= 9_999.5) return [digits(value / 1e3), "k"];
  return [Number.isInteger(value) || value >= 100 ? Math.round(value).toLocaleString("en") : digits(value), ""];
}

const joined = (parts) => parts.filter(Boolean).join("\u202f");

export const bytes = (value) => joined(bytesParts(value));
export const rate = (value) => joined(rateParts(value));
export const seconds = (value) => joined(secondsParts(value));
export const ratio = (value) => joined(ratioParts(value));
export const count = (value) => joined(countParts(value));
export const perSecond = (value) => (value == null ? UNKNOWN : `${count(value)}/s`);

/** A whole number in full, as exact figures stand in tooltips. */
export const exact = (value) => (value == null ? UNKNOWN : value.toLocaleString("en"));

/** "1 block", "2 blocks". */
export const plural = (value, one, many = `${one}s`) => `${exact(value)} ${value === 1 ? one : many}`;

/** How long something has lasted: the two largest units. */
export function duration(value) {
  if (value == null) return UNKNOWN;
  const whole = Math.max(0, Math.floor(value));
  const steps = [
    ["d", 86_400],
    ["h", 3_600],
    ["min", 60],
    ["s", 1],
  ];
  const first = steps.findIndex(([, size]) => whole >= size);
  if (first < 0) return "0\u202fs";
  const parts = [];
  let rest = whole;
  for (const [unit, size] of steps.slice(first, first + 2)) {
    const amount = Math.floor(rest / size);
    rest -= amount * size;
    if (amount > 0) parts.push(`${amount}\u202f${unit}`);
  }
  return parts.join(" ");
}

const two = (value) => value.toString().padStart(2, "0");

/** Time of day in the reader's zone. */
export function clock(at, withSeconds = true) {
  if (at == null) return UNKNOWN;
  const time = new Date(at * 1000);
  const minutes = `${two(time.getHours())}:${two(time.getMinutes())}`;
  return withSeconds ? `${minutes}:${two(time.getSeconds())}` : minutes;
}

/** Date and time in the reader's zone. */
export function moment(at) {
  if (at == null) return UNKNOWN;
  const time = new Date(at * 1000);
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${clock(at)}`;
}

// Characters that are invisible, or that turn the direction of what follows: a name must not look like another.
const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** A name of a bucket or key with nothing invisible in it. */
export function visible(name) {
  return name.replace(INVISIBLE, (character) => {
    const code = character.codePointAt(0);
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    if (code === 0x7f) return "\u2421";
    return `\\u${code.toString(16).padStart(4, "0")}`;
  });
}
