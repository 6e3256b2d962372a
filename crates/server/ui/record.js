// @ts-check
/**
 * An opened record: its line as it is, its fields as a table, and ways on from it.
 */
import { copy, el } from "./dom.js";
import { stance } from "./lang.js";
import { address, isEvent, joins, text } from "./rows.js";
import { nodes } from "./text.js";
import { full, nanos, zone } from "./time.js";
import { tree } from "./tree.js";

/**
 * @typedef {object} Ways
 * @property {(field: string, value: string, not: boolean) => void} narrow
 * @property {(field: string) => void} column
 * @property {(record: import("./rows.js").Rec) => void} around
 * @property {(field: string, value: string, record: import("./rows.js").Rec) => void} same Shows all that has this value.
 * @property {(words: string) => void} say
 * @property {() => void} grown Called when what is shown has another height.
 */

/** Of these a value is never looked for by clicking. */
const PLACES = new Set(["_time", "_line", "_epoch", "_offset", "_received"]);

/**
 * @param {import("./rows.js").Rec} record @param {RegExp | null} marks @param {import("./state.js").State} state @param {Ways} ways
 */
export function panel(record, marks, state, ways) {
  const line = String(record._line ?? "");
  const rows = Object.entries(record).filter(([name]) => name !== "_line").sort(([a], [b]) => Number(a.startsWith("_")) - Number(b.startsWith("_")));
  /** @param {string} label @param {string} title @param {() => void} act */
  const act = (label, title, act) => el("button", { type: "button", class: "act", title, "aria-label": title, onclick: act }, label);
  const put = async (/** @type {string} */ what, /** @type {string} */ name) => ways.say((await copy(what)) ? `${name} copied.` : "The browser did not let it be copied.");
  return el("div", { class: "panel" },
    el("pre", { class: "raw" }, nodes(line, marks)),
    el("p", { class: "links" },
      act("around it", "Show the lines around this one (x)", () => ways.around(record)),
      ...joins(record).map(([name, value]) => act(`same ${name}`, `Show all lines with ${name} = ${value}, of all hosts`, () => ways.same(name, text(value), record))),
      act("copy line", "Copy the line (y)", () => put(line, "Line")),
      act("copy JSON", "Copy the record as JSON", () => put(JSON.stringify(record, null, 2), "Record")),
      act("copy link", "Copy the address of this view", () => put(location.href, "Link")),
    ),
    isEvent(record) && tree(record, ways.grown),
    el("table", {},
      el("caption", { class: "unseen" }, `Fields of ${address(record)}`),
      el("tbody", {}, ...rows.map(([name, value]) => {
        const shown = text(value);
        const taken = stance(state.q, name, shown);
        return el("tr", { class: taken > 0 ? "kept" : "" },
          el("th", { scope: "row" }, name),
          el("td", { class: "do" },
            !PLACES.has(name) && [
              act("+", `Keep only ${name} = ${shown}`, () => ways.narrow(name, shown, false)),
              act("−", `Leave out ${name} = ${shown}`, () => ways.narrow(name, shown, true)),
              act("⊞", state.cols.includes(name) ? `Take the column ${name} away` : `Show ${name} as a column`, () => ways.column(name)),
              act("copy", `Copy the value of ${name}`, () => put(shown, "Value")),
            ].reduce((all, one) => (all.append(one), all), document.createDocumentFragment()),
          ),
          el("td", { class: typeof value === "number" ? "value number" : "value" }, name === "_time" || name === "_received" ? when(shown, state.utc) : nodes(pretty(value), marks)),
        );
      })),
    ),
  );
}

/** @param {any} value */
const pretty = (value) => (value && typeof value === "object" ? JSON.stringify(value, null, 2) : text(value));

/** @param {string} shown @param {boolean} utc */
function when(shown, utc) {
  const ns = nanos(shown);
  return ns === null ? shown : `${full(ns, utc)} ${zone(utc)}`;
}
