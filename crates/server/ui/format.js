// @ts-check
/**
 * Numbers as people read them.
 */

const exactly = new Intl.NumberFormat("en");

/** `18.3 M` @param {number} n */
export function count(n) {
  if (n < 100_000) return exactly.format(n);
  for (const [unit, size] of /** @type {[string, number][]} */ ([["G", 1e9], ["M", 1e6], ["k", 1e3]])) {
    if (n >= size) return `${short(n / size)} ${unit}`;
  }
  return String(n);
}

/** `18,300,000` @param {number} n */
export const exact = (n) => exactly.format(n);

/** `41 MB` @param {number} n */
export function bytes(n) {
  for (const [unit, size] of /** @type {[string, number][]} */ ([["TB", 1e12], ["GB", 1e9], ["MB", 1e6], ["kB", 1e3]])) {
    if (n >= size) return `${short(n / size)} ${unit}`;
  }
  return `${n} B`;
}

/** `0.08 s` @param {number} s */
export function seconds(s) {
  if (s < 0.0095) return "< 0.01 s";
  return s < 10 ? `${s.toFixed(2)} s` : `${short(s)} s`;
}

/** `12.3 ms`; nothing for what took no time. @param {number} s */
export function took(s) {
  if (s <= 0) return "";
  if (s < 0.0009995) return `${Math.round(s * 1e6)} µs`;
  return s < 0.9995 ? `${(s * 1e3).toFixed(1)} ms` : `${s.toFixed(2)} s`;
}

/** `61 %` @param {number} part @param {number} whole */
export function percent(part, whole) {
  if (!whole) return "";
  const share = (100 * part) / whole;
  return share > 0 && share < 1 ? "< 1 %" : `${Math.min(100, Math.round(share))} %`;
}

/** @param {number} n */
function short(n) {
  return n >= 100 ? String(Math.round(n)) : n.toFixed(1).replace(/\.0$/, "");
}

/** One word for one, the other for more. @param {number} n @param {string} one @param {string} more */
export const plural = (n, one, more) => `${exact(n)} ${n === 1 ? one : more}`;
