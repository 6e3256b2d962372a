// @ts-check
/**
 * Rows that are no log lines: what pipes such as `stats` made.
 */
import { charts } from "./charts.js";
import { el, put } from "./dom.js";
import { rec, text } from "./rows.js";
import { nodes } from "./text.js";

/** More rows than are read in a table at once. */
const MOST = 2000;

/** @param {HTMLElement} into @param {import("./rows.js").Item[]} items */
export function table(into, items) {
  const rows = items.slice(0, MOST).map(rec);
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const numeric = new Set(names.filter((name) => rows.some((row) => typeof row[name] === "number") && rows.every((row) => row[name] === undefined || typeof row[name] === "number")));
  const cls = (/** @type {string} */ name) => (numeric.has(name) ? "number" : "");
  put(into, names.includes("_time") && charts(rows, names, numeric), el("table", {},
    el("thead", {}, el("tr", {}, ...names.map((name) => el("th", { scope: "col", class: cls(name) }, name)))),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, ...names.map((name) => el("td", { class: cls(name) }, nodes(text(row[name]), null)))))),
  ), items.length > MOST && el("p", { class: "none" }, `The first ${MOST} rows.`));
}
