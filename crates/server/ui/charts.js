// @ts-check
/**
 * Figures over time, as `timechart` gives them: a small chart for each, one below the other on one time line, so that they
 * are told apart by their place and not by colour.
 */
import { el, svg } from "./dom.js";
import { nanos } from "./time.js";

/** More figures than this stand in the table only. */
const MOST = 12;
const HEIGHT = 40;
const WIDTH = 1000;

/**
 * @param {import("./rows.js").Rec[]} rows @param {string[]} names @param {Set<string>} numeric Names whose values are numbers.
 * @returns {HTMLElement | null} Nothing where there are no figures over time.
 */
export function charts(rows, names, numeric) {
  const of = names.filter((name) => numeric.has(name));
  const keys = names.filter((name) => name !== "_time" && !numeric.has(name));
  /** @type {Map<string, Map<number, number>>} */
  const figures = new Map();
  const times = new Set();
  for (const row of rows) {
    const at = nanos(String(row._time ?? ""));
    if (at === null) continue;
    const ms = Number(at / 1_000_000n);
    times.add(ms);
    const group = keys.map((key) => row[key] ?? "–").join(", ");
    for (const name of of) {
      if (typeof row[name] !== "number") continue;
      const figure = [group, of.length > 1 || !group ? name : ""].filter(Boolean).join(" · ");
      if (!figures.has(figure)) figures.set(figure, new Map());
      figures.get(figure)?.set(ms, row[name]);
    }
  }
  const order = [...times].sort((a, b) => a - b);
  if (order.length < 2 || !figures.size) return null;
  const step = order.reduce((least, at, index) => (index ? Math.min(least, at - order[index - 1]) : least), Infinity);
  const span = order[order.length - 1] - order[0] + step;
  return el("div", { class: "charts" }, ...[...figures].slice(0, MOST).map(([name, values]) => {
    const all = [...values.values()];
    const [least, most] = [Math.min(0, ...all), Math.max(0, ...all)];
    const y = (/** @type {number} */ value) => HEIGHT * (1 - (value - least) / (most - least || 1));
    const bars = [...values].map(([at, value]) => svg("rect", {
      x: (WIDTH * (at - order[0])) / span, width: Math.max(1, (WIDTH * step) / span - 1),
      y: Math.min(y(value), y(0)), height: Math.max(value ? 1 : 0, Math.abs(y(value) - y(0))),
    }, svg("title", {}, `${new Date(at).toISOString()}: ${value}`)));
    const highest = Math.max(...all);
    return el("figure", {},
      el("figcaption", {}, el("span", { class: "label" }, name), el("span", { class: "rows" }, `max ${Number(highest.toPrecision(4))}`)),
      svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": `${name} over time, at most ${highest}` }, ...bars),
    );
  }));
}
