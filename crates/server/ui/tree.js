// @ts-check
/**
 * An application event with all that happened under its id: a tree on a time line. Knows how to ask for it and to draw it.
 */
import { lines } from "./api.js";
import { el, put } from "./dom.js";
import { took } from "./format.js";
import { address, text, time } from "./rows.js";
import { nodes } from "./text.js";
import { SECOND } from "./time.js";

/** @typedef {{depth: number, type: string, after: number, seconds: number, at: string, host: any, pid: any, body: any}} Span */
/** @typedef {{id: any, seconds: number, events: Span[], cut?: boolean}} Tree */

/** Trees that were shown last, so that a row which is scrolled away and back has the same height. @type {Map<string, Tree>} */
const known = new Map();
const KNOWN_MOST = 8;
/** What is drawn of one tree. */
const SHOWN_MOST = 500;
/** So far around an event the rest of its tree is looked for, in seconds. */
const AROUND = 3600;

/**
 * The place of the tree, which fills when it has come.
 * @param {import("./rows.js").Rec} record @param {() => void} grown Called when it has another height.
 */
export function tree(record, grown) {
  const id = text(record.id);
  const box = el("section", { class: "tree", "aria-label": `Events of ${id}` });
  const key = `${id} ${address(record)}`;
  const have = known.get(key);
  if (have) {
    draw(box, have, address(record), grown);
    return box;
  }
  // Most often the record's time is the event's end, but one that came late has the time when it came.
  const at = Number(time(record) / SECOND);
  const start = Math.floor(Math.min(record.start, at)) - AROUND;
  const end = Math.ceil(Math.max(record.end, at)) + AROUND;
  lines("events", { id, start: `${Math.max(0, start)}.0`, end: `${end}.0` }).then(([found]) => {
    if (!found) return;
    known.set(key, found);
    for (const old of known.keys()) if (known.size > KNOWN_MOST) known.delete(old);
    draw(box, found, address(record), grown);
    grown();
  }, () => put(box, el("p", { class: "none" }, "The other events of this tree could not be read.")));
  return box;
}

/** @param {HTMLElement} box @param {Tree} tree @param {string} here @param {() => void} grown */
function draw(box, tree, here, grown) {
  const events = tree.events.slice(0, SHOWN_MOST);
  /** @type {string[]} */
  const above = [];
  const rows = events.map((event) => {
    above.length = event.depth;
    const parent = above[event.depth - 1];
    above[event.depth] = event.type;
    return span(event, parent && event.type.startsWith(`${parent}.`) ? event.type.slice(parent.length) : event.type, tree.seconds, event.at === here, grown);
  });
  const left = tree.events.length - rows.length;
  put(box, el("ol", { onkeydown: arrows }, ...rows), (left > 0 || tree.cut) && el("p", { class: "none" }, left > 0 ? `… and ${left} more` : "… and more than one answer holds"));
}

/** @param {Span} event @param {string} name @param {number} total @param {boolean} own @param {() => void} grown */
function span(event, name, total, own, grown) {
  const level = String(event.body?.level ?? "").toLowerCase();
  const bad = /^(error|critical|fatal)$/.test(level) || event.body?.exception ? " b-error" : /^warn/.test(level) ? " b-warn" : "";
  const bar = el("i", { class: `bar${bad}` });
  bar.style.left = `${total > 0 ? Math.min(99.5, (100 * event.after) / total) : 0}%`;
  bar.style.width = `${total > 0 ? (100 * event.seconds) / total : 0}%`;
  const label = el("span", { class: "label" }, name);
  label.style.paddingLeft = `${Math.min(event.depth, 16) * 14}px`;
  const said = Object.entries(event.body ?? {}).map(([key, value]) => `${key}=${text(value)}`).join(" ");
  const button = el("button", {
    type: "button", class: own ? "span own" : "span", "aria-expanded": "false", "aria-current": own ? "true" : null,
    onclick: () => {
      const open = button.getAttribute("aria-expanded") === "true";
      button.setAttribute("aria-expanded", String(!open));
      if (open) button.nextElementSibling?.remove();
      else button.after(el("pre", { class: "said" }, nodes(`${event.type}  ${text(event.host)}:${text(event.pid)}\n${JSON.stringify(event.body, null, 2)}`, null)));
      grown();
    },
  }, label, el("span", { class: "took" }, took(event.seconds)), el("span", { class: "lane" }, bar), el("span", { class: "says" }, nodes(said, null, { oneLine: true, room: 120 })));
  return el("li", { "aria-level": event.depth + 1 }, button);
}

/** Up and down go from event to event. @param {KeyboardEvent} event */
function arrows(event) {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const list = /** @type {HTMLElement} */ (event.currentTarget);
  const all = /** @type {HTMLElement[]} */ ([...list.querySelectorAll(".span")]);
  const at = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  if (!by || at < 0) return;
  event.preventDefault();
  all[Math.max(0, Math.min(all.length - 1, at + by))].focus();
}
