// @ts-check
/**
 * The menu of time ranges: the usual ones, and any two times.
 */
import { el, popup } from "./dom.js";
import { PRESETS, bounds, duration, full, nanos, rfc, zone } from "./time.js";

/**
 * @param {HTMLElement} anchor @param {import("./state.js").State} state
 * @param {(range: import("./time.js").Range) => void} choose
 */
export function timeMenu(anchor, state, choose) {
  const take = (/** @type {import("./time.js").Range} */ range) => {
    box.hidePopover();
    choose(range);
  };
  const { start, end } = bounds(state);
  const shown = (/** @type {bigint | null} */ ns) => (ns === null ? "" : full(ns, state.utc).replace(/\.\d+$/, ""));
  const from = el("input", { type: "text", id: "range-from", value: duration(state.from) !== null ? state.from : shown(start), placeholder: "2026-11-20 10:00 or 90m", autocomplete: "off", spellcheck: false });
  const to = el("input", { type: "text", id: "range-to", value: shown(end), placeholder: "now", autocomplete: "off", spellcheck: false });
  const wrong = el("p", { class: "wrong", role: "alert" });
  const form = el("form", { class: "absolute", onsubmit: (/** @type {Event} */ event) => {
    event.preventDefault();
    const read = (/** @type {HTMLInputElement} */ input) => {
      const given = input.value.trim().replace(/^-/, "");
      if (given === "" || given === "now" || duration(given) !== null) return given === "now" ? "" : given;
      const ns = nanos(given, state.utc);
      return ns === null ? null : rfc(ns);
    };
    const range = { from: read(from), to: read(to) };
    if (range.from === null || range.to === null || duration(range.to) !== null) {
      wrong.textContent = "Write times as 2026-11-20 10:00, or from as 90m and to as now.";
      (range.from === null ? from : to).focus();
      return;
    }
    if (range.from && range.to && (bounds({ from: range.from, to: range.to }).start ?? 0n) >= (nanos(range.to) ?? 0n)) {
      wrong.textContent = "The end must be later than the begin.";
      to.focus();
      return;
    }
    take(/** @type {import("./time.js").Range} */ (range));
  } },
    el("label", { for: "range-from" }, "From"), from,
    el("label", { for: "range-to" }, "To"), to,
    el("p", { class: "none" }, `Times in ${zone(state.utc)}.`), wrong,
    el("button", { type: "submit", class: "primary" }, "Show"),
  );
  const presets = el("ul", { role: "list", class: "presets" }, ...PRESETS.map(([value, name]) => {
    const on = state.from === value && state.to === "";
    return el("li", {}, el("button", { type: "button", "aria-pressed": String(on), onclick: () => take({ from: value, to: "" }) }, name));
  }));
  const box = popup(anchor, el("div", { class: "times" }, presets, form), "Time range");
  /** @type {HTMLElement | null} */ (presets.querySelector('[aria-pressed="true"]'))?.focus();
}
