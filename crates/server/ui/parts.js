// @ts-check
/**
 * What passes through the node: each input, filter and output with its state, rates, queue, lag and last error, for as long as
 * the box is open.
 */
import { Refusal, json } from "./api.js";
import { el, put } from "./dom.js";
import { bytes, count, exact, took } from "./format.js";

/** Milliseconds between two looks. */
const EVERY = 2000;

/**
 * @typedef {object} Part
 * @property {string} role
 * @property {string} name
 * @property {string} state
 * @property {number} records
 * @property {number} bytes
 * @property {Record<string, number>} errors
 * @property {string | null} last_error
 * @property {number} [queue_bytes] Of outputs, as what follows.
 * @property {number} [lag_seconds]
 * @property {number} [retries]
 * @property {number} [dead]
 */

/** @typedef {{at: number, parts: Map<string, Part>}} Look */

const key = (/** @type {Part} */ part) => `${part.role} ${part.name}`;

/** A number of something, exact on hover; nothing where there is none. @param {number | undefined} n @param {string} [what] */
const number = (n, what = "") => el("td", { class: "number", title: n === undefined ? "" : `${exact(n)}${what}` }, n ? count(n) : n === 0 ? "0" : "");

/** @param {Part} part @param {Look | null} before @param {number} at */
function row(part, before, at) {
  const last = before?.parts.get(key(part));
  const per = (/** @type {number} */ now, /** @type {number} */ then) => Math.max(0, Math.round(((now - then) * 1000) / (at - (before?.at ?? 0))));
  const output = part.queue_bytes !== undefined;
  const wrong = Object.entries(part.errors);
  const more = [part.retries ? `${exact(part.retries)} tries in vain` : "", part.dead ? `${exact(part.dead)} dead letters` : ""].filter(Boolean).join(" · ");
  const good = part.state === "running" || part.state === "waiting";
  const line = el("tr", {},
    el("th", { scope: "row", title: part.name }, part.name),
    el("td", { class: good ? "" : "t-error" }, good ? "" : "! ", part.state),
    last ? number(per(part.records, last.records), " rows per second") : el("td", { class: "number" }, "…"),
    el("td", { class: "number volume" }, last ? bytes(per(part.bytes, last.bytes)) : "…"),
    number(part.records, " rows since the start"),
    el("td", { class: "number", title: output ? `${exact(part.queue_bytes ?? 0)} bytes wait` : "" }, output ? bytes(part.queue_bytes ?? 0) : ""),
    el("td", { class: "number" }, output ? took(part.lag_seconds ?? 0) || "0" : ""),
    el("td", { class: `number${wrong.length ? " t-warn" : ""}`, title: wrong.map(([reason, n]) => `${reason}: ${exact(n)}`).join("\n") }, count(wrong.reduce((sum, [, n]) => sum + n, 0))),
  );
  if (!part.last_error && !more) return [line];
  return [line, el("tr", { class: "why" }, el("td", { colSpan: 8 }, more && `${more}${part.last_error ? " · " : ""}`, part.last_error && el("span", { class: "t-warn" }, part.last_error)))];
}

/** Shows it until it is closed. @param {() => void} closed */
export function parts(closed) {
  const stop = new AbortController();
  const body = el("tbody");
  const words = el("p", { class: "none", role: "status" }, "…");
  const close = el("button", { type: "button", class: "primary", autofocus: true, onclick: () => dialog.close() }, "Close");
  const head = ["", "state", "rows/s", "bytes/s", "rows", "queue", "lag", "errors"];
  const dialog = el("dialog", { class: "parts", "aria-label": "Inputs, filters and outputs", onclose: () => (stop.abort(), dialog.remove(), closed()) },
    el("h2", {}, "Inputs, filters and outputs"), words,
    el("div", { class: "sheet", tabIndex: 0, role: "region", "aria-label": "Parts" }, el("table", {},
      el("thead", {}, el("tr", {}, ...head.map((name, at) => el("th", { scope: "col", class: `${at > 1 ? "number" : ""}${name === "bytes/s" ? " volume" : ""}` }, name)))), body)),
    el("p", { class: "foot" }, close));
  document.body.append(dialog);
  dialog.showModal();
  watch(body, words, stop.signal);
}

/** @param {HTMLElement} body @param {HTMLElement} words @param {AbortSignal} signal */
async function watch(body, words, signal) {
  /** @type {Look | null} */
  let before = null;
  while (!signal.aborted) {
    const said = await json("status", {}, signal).catch((error) => (error instanceof Refusal ? error.message : "No connection to the node · trying again"));
    if (signal.aborted) return;
    if (typeof said === "string") put(words, said);
    else {
      const at = performance.now();
      /** @type {Part[]} */
      const all = said.parts;
      put(words, `sawlog ${said.version} · up ${ago(said.uptime_seconds)}${said.memory_bytes ? ` · ${bytes(said.memory_bytes)} of memory` : ""}`);
      put(body, ...["input", "filter", "output"].flatMap((role) => {
        const of = all.filter((part) => part.role === role);
        return of.length ? [el("tr", { class: "role" }, el("th", { scope: "rowgroup", colSpan: 8 }, `${role}s`)), ...of.flatMap((part) => row(part, before, at))] : [];
      }));
      before = { at, parts: new Map(all.map((part) => [key(part), part])) };
    }
    await new Promise((resolve) => setTimeout(resolve, EVERY));
  }
}

/** `3 d 4 h` @param {number} s */
function ago(s) {
  const [d, h, m] = [Math.floor(s / 86400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60];
  return d ? `${d} d ${h} h` : h ? `${h} h ${m} min` : m ? `${m} min` : `${s} s`;
}
