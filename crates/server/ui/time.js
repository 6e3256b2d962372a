// @ts-check
/**
 * Times: nanoseconds as BigInt, RFC 3339 as the API writes it, ranges as the address holds them (`1h`, a time, or
 * nothing), and the same for people, in their zone or UTC.
 */

export const SECOND = 1_000_000_000n;
const MS = 1_000_000n;

/** @typedef {{from: string, to: string}} Range */

/** Ranges of the menu. @type {[string, string][]} */
export const PRESETS = [
  ["5m", "Last 5 minutes"], ["15m", "Last 15 minutes"], ["1h", "Last hour"], ["6h", "Last 6 hours"],
  ["1d", "Last 24 hours"], ["7d", "Last 7 days"], ["30d", "Last 30 days"], ["", "All time"],
];

const RFC = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?(Z|[+-]\d\d:?\d\d)?$/;

/**
 * Nanoseconds of a time; a time without a zone is read in the shown one. `null` where it is none.
 * @param {string} text @param {boolean} [utc]
 * @returns {bigint | null}
 */
export function nanos(text, utc = true) {
  const part = RFC.exec(text.trim());
  if (!part) return null;
  const [year, month, day, hour, minute, second] = part.slice(1, 7).map((digits) => Number(digits ?? 0));
  const zone = part[8];
  let ms;
  if (zone || utc) {
    ms = Date.UTC(year, month - 1, day, hour, minute, second);
    if (zone && zone !== "Z") {
      const away = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2));
      ms -= (zone[0] === "-" ? -away : away) * 60_000;
    }
  } else {
    ms = new Date(year, month - 1, day, hour, minute, second).getTime();
  }
  if (Number.isNaN(ms)) return null;
  return BigInt(ms) * MS + BigInt((part[7] ?? "").padEnd(9, "0"));
}

/** RFC 3339 with as much fraction as it needs. @param {bigint} ns */
export function rfc(ns) {
  const ms = Number(ns / MS - (ns % MS < 0n ? 1n : 0n));
  const rest = ns - (ns / SECOND) * SECOND;
  const fraction = (rest < 0n ? rest + SECOND : rest).toString().padStart(9, "0").replace(/0+$/, "");
  return new Date(ms).toISOString().slice(0, 19) + (fraction ? `.${fraction}` : "") + "Z";
}

const UNITS = /** @type {Record<string, bigint>} */ ({ s: 1n, m: 60n, h: 3600n, d: 86400n, w: 604800n });

/** Nanoseconds of `15m`, `1h30m`. @param {string} text @returns {bigint | null} */
export function duration(text) {
  if (!/^(\d+[smhdw])+$/.test(text)) return null;
  let total = 0n;
  for (const [, digits, unit] of text.matchAll(/(\d+)([smhdw])/g)) total += BigInt(digits) * UNITS[unit];
  return total * SECOND;
}

export const now = () => BigInt(Date.now()) * MS;

/**
 * Begin and end of a range, as far as it has them.
 * @param {Range} range @returns {{start: bigint | null, end: bigint | null}}
 */
export function bounds(range) {
  const ago = duration(range.from);
  return {
    start: ago !== null ? now() - ago : range.from ? nanos(range.from) : null,
    end: range.to ? nanos(range.to) : null,
  };
}

/** Whether the range goes on to now. @param {Range} range */
export const isOpen = (range) => range.to === "";

/** @param {number} n @param {number} [width] */
const two = (n, width = 2) => String(n).padStart(width, "0");

/** @param {Date} date @param {boolean} utc */
function parts(date, utc) {
  return utc
    ? { y: date.getUTCFullYear(), mo: date.getUTCMonth() + 1, d: date.getUTCDate(), h: date.getUTCHours(), mi: date.getUTCMinutes(), s: date.getUTCSeconds(), ms: date.getUTCMilliseconds() }
    : { y: date.getFullYear(), mo: date.getMonth() + 1, d: date.getDate(), h: date.getHours(), mi: date.getMinutes(), s: date.getSeconds(), ms: date.getMilliseconds() };
}

/** @param {bigint} ns */
const date = (ns) => new Date(Number(ns / MS));

/** The time of a row: `10:02:17.113`, with as much of the date as is asked for. @param {bigint} ns @param {boolean} utc @param {0 | 1 | 2} dated */
export function rowTime(ns, utc, dated) {
  const p = parts(date(ns), utc);
  return `${dated > 1 ? `${p.y}-` : ""}${dated ? `${two(p.mo)}-${two(p.d)} ` : ""}${two(p.h)}:${two(p.mi)}:${two(p.s)}.${two(p.ms, 3)}`;
}

/** `2026-11-20 10:02:17`, with what is below a second where there is any. @param {bigint} ns @param {boolean} utc */
export function full(ns, utc) {
  const p = parts(date(ns), utc);
  const below = (ns % SECOND).toString().padStart(9, "0").replace(/(000){1,2}$/, "");
  return `${p.y}-${two(p.mo)}-${two(p.d)} ${two(p.h)}:${two(p.mi)}:${two(p.s)}${Number(below) ? `.${below}` : ""}`;
}

/** A short time for an axis or a label, as fine as `step` asks. @param {bigint} ns @param {boolean} utc @param {bigint} step */
export function tick(ns, utc, step) {
  const p = parts(date(ns), utc);
  if (step >= 86400n * SECOND) return `${two(p.mo)}-${two(p.d)}`;
  if (p.h === 0 && p.mi === 0 && p.s === 0 && p.ms === 0) return `${two(p.mo)}-${two(p.d)}`;
  if (step >= 60n * SECOND) return `${two(p.h)}:${two(p.mi)}`;
  if (step >= SECOND) return `${two(p.h)}:${two(p.mi)}:${two(p.s)}`;
  return `${two(p.mi)}:${two(p.s)}.${two(p.ms, 3)}`;
}

/** How the range reads on its button. @param {Range} range @param {boolean} utc */
export function label(range, utc) {
  const preset = PRESETS.find(([from]) => from === range.from);
  if (range.to === "" && preset) return preset[1];
  if (range.to === "" && duration(range.from) !== null) return `Last ${range.from}`;
  const { start, end } = bounds(range);
  const from = start === null ? "…" : full(start, utc).replace(/\.\d+$/, "");
  if (end === null) return `since ${from}`;
  const to = full(end, utc).replace(/\.\d+$/, "");
  return `${from} – ${to.slice(0, 10) === from.slice(0, 10) ? to.slice(11) : to}`;
}

// Asking the browser takes long; the zone of a machine hardly ever changes while a page is open.
const name = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** The zone in which times are shown. @param {boolean} utc */
export function zone(utc) {
  if (utc) return "UTC";
  const away = -new Date().getTimezoneOffset();
  if (away === 0 && /^(UTC|Etc\/UTC|GMT)$/.test(name)) return "UTC";
  const hours = `${away < 0 ? "−" : "+"}${Math.floor(Math.abs(away) / 60)}${away % 60 ? `:${two(Math.abs(away) % 60)}` : ""}`;
  return `${name} (UTC${hours})`;
}
