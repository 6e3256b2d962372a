// @ts-check
/**
 * The fields beside the lines: which there are, and their most frequent values among the rows found. Click a value to
 * keep it, Alt-click to leave it out, Shift-click to make its field a column.
 */
import { el, put } from "./dom.js";
import { count, exact, percent } from "./format.js";
import { release, stance } from "./lang.js";
import { levelClass } from "./rows.js";

/** @typedef {{name: string, rows: number}} Field */
/** @typedef {{values: {value: string, rows: number}[], rows: number, complete: boolean}} Values Counted among so many rows, which are all or the last ones. */

const FIRST = ["level", "severity", "service", "_tag", "_host", "host", "_path", "program", "status"];
const HIDDEN = new Set(["_line", "_time", "_epoch", "_offset", "_received", "_fields", "_source", "_tenant"]);

export class Fields {
  /**
   * @param {HTMLElement} into
   * @param {object} how
   * @param {() => import("./state.js").State} how.state
   * @param {(query: string) => void} how.query Searches for another query.
   * @param {(field: string, value: string, not: boolean) => void} how.narrow
   * @param {(field: string) => void} how.column
   * @param {(field: string) => Promise<Values>} how.values
   */
  constructor(into, how) {
    this.how = how;
    /** @type {Field[]} */
    this.list = [];
    this.total = 0;
    // Loggers name fields whose values are wanted at once.
    this.open = new Set(["level", "service", ...(new URLSearchParams(location.search).get("open") ?? "").split(",")]);
    /** @type {Map<string, Values | string>} */
    this.values = new Map();
    this.version = 0;
    this.filter = el("input", { type: "search", placeholder: "Find a field", "aria-label": "Find a field", autocomplete: "off", spellcheck: false, oninput: () => this.draw() });
    this.box = el("ul", { role: "list" });
    into.append(this.filter, this.box);
  }

  /** Other fields, other rows: open values are asked for anew. @param {Field[]} list */
  show(list) {
    const first = [...FIRST, ...this.open];
    const rank = (/** @type {Field} */ field) => {
      const at = first.indexOf(field.name);
      return at < 0 ? first.length : at;
    };
    this.list = list.filter((field) => field.rows > 0 && !HIDDEN.has(field.name)).sort((a, b) => rank(a) - rank(b) || b.rows - a.rows || (a.name < b.name ? -1 : 1));
    this.draw();
  }

  /** The rows found are others. @param {number} total */
  renew(total) {
    this.total = total;
    this.version++;
    for (const name of this.open) if (this.list.some((field) => field.name === name)) this.ask(name);
    for (const name of this.values.keys()) if (!this.open.has(name)) this.values.delete(name);
  }

  /** @param {string} name */
  async ask(name) {
    const { version } = this;
    let answer;
    try {
      answer = await this.how.values(name);
    } catch (error) {
      if (/** @type {Error} */ (error).name === "AbortError") return;
      answer = /** @type {Error} */ (error).message;
    }
    if (version !== this.version) return;
    this.values.set(name, answer);
    this.draw();
  }

  draw() {
    const wanted = this.filter.value.trim().toLowerCase();
    const shown = this.list.filter((field) => field.name.toLowerCase().includes(wanted)).slice(0, 300);
    this.filter.hidden = this.list.length < 8 && !wanted;
    const focus = document.activeElement instanceof HTMLElement && this.box.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
    put(this.box, ...shown.map((field) => this.field(field)));
    if (!shown.length) put(this.box, el("li", { class: "none" }, this.list.length ? "No field of that name." : "No fields yet."));
    if (focus) /** @type {HTMLElement | null} */ (this.box.querySelector(`[data-key="${CSS.escape(focus)}"]`))?.focus();
  }

  /** @param {Field} field */
  field(field) {
    const open = this.open.has(field.name);
    const column = this.how.state().cols.includes(field.name);
    return el("li", { class: open ? "field open" : "field" },
      el("div", { class: "name" },
        el("button", {
          type: "button", class: "toggle", "aria-expanded": String(open), "data-key": `f:${field.name}`, title: `${field.name}: in ${exact(field.rows)} lines of this time`,
          onclick: (/** @type {MouseEvent} */ event) => (event.shiftKey ? this.how.column(field.name) : this.toggle(field.name)),
        }, el("span", { class: "label" }, field.name), el("span", { class: "rows" }, count(field.rows))),
        el("button", {
          type: "button", class: "act", "aria-pressed": String(column), "data-key": `c:${field.name}`, title: column ? `Take the column ${field.name} away` : `Show ${field.name} as a column`,
          "aria-label": column ? `Take the column ${field.name} away` : `Show ${field.name} as a column`, onclick: () => this.how.column(field.name),
        }, "⊞"),
      ),
      open && this.valueList(field),
    );
  }

  /** @param {string} name */
  toggle(name) {
    if (this.open.delete(name)) return this.draw();
    this.open.add(name);
    this.draw();
    this.ask(name);
  }

  /** @param {Field} field */
  valueList(field) {
    const found = this.values.get(field.name);
    if (found === undefined) return el("p", { class: "none" }, "…");
    if (typeof found === "string") return el("p", { class: "none" }, found);
    const { values, rows: counted, complete } = found;
    if (!values.length) return el("p", { class: "none" }, "in none of these lines");
    const { q } = this.how.state();
    const most = Math.max(complete ? this.total : counted, ...values.map((one) => one.rows));
    const among = !complete && el("li", { class: "none" }, `among the last ${count(counted)} lines`);
    return el("ul", { role: "list" }, among, ...values.map(({ value, rows }) => {
      const taken = stance(q, field.name, value);
      const cls = field.name === "level" || field.name === "severity" ? levelClass(value) : "";
      const bar = el("i", { class: "bar", "aria-hidden": "true" });
      bar.style.width = `${Math.max(1, (100 * rows) / most)}%`;
      const label = taken ? `Stop asking for ${field.name} = ${value}` : `Keep only ${field.name} = ${value}, in ${exact(rows)} lines`;
      return el("li", { class: `value${cls ? ` t-${cls}` : ""}${taken > 0 ? " kept" : ""}` },
        el("button", {
          type: "button", class: "keep", "data-key": `v:${field.name}:${value}`, "aria-label": label, "aria-pressed": String(taken > 0),
          title: `${value}\n${exact(rows)} lines\nClick: ${taken ? "no longer ask for it" : "keep"} · Alt: leave out · Shift: column`,
          onclick: (/** @type {MouseEvent} */ event) => {
            if (event.shiftKey) this.how.column(field.name);
            else if (event.altKey) this.how.narrow(field.name, value, true);
            else if (taken) this.how.query(release(q, field.name, value));
            else this.how.narrow(field.name, value, false);
          },
        }, bar, el("span", { class: "label" }, value === "" ? "(empty)" : value), el("span", { class: "rows" }, percent(rows, most))),
        el("button", { type: "button", class: "act", title: `Leave out ${value}`, "aria-label": `Leave out ${field.name} = ${value}`, onclick: () => this.how.narrow(field.name, value, true) }, "−"),
      );
    }));
  }
}
