// @ts-check
/**
 * Lines over time as bars by level. Drag to zoom, double click to step out; with the keyboard: arrows move, Shift and
 * arrows mark, Enter zooms, Backspace steps out.
 */
import { el, put, svg } from "./dom.js";
import { count, exact } from "./format.js";
import { levelClass } from "./rows.js";
import { SECOND, full, nanos, tick } from "./time.js";

/** @typedef {{time: bigint, counts: Record<string, number>}} Bar */

/** From the ground up: what matters most stands where it can be compared. @type {[import("./rows.js").Level, string][]} */
const ORDER = [["error", "error"], ["warn", "warn"], ["info", "info"], ["", "none"], ["debug", "debug"]];
const HEIGHT = 56;
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2419200, 7862400, 31449600];

export class Histogram {
  /**
   * @param {HTMLElement} into
   * @param {{zoom: (start: bigint, end: bigint) => void, out: () => void}} how
   */
  constructor(into, how) {
    this.into = into;
    this.how = how;
    this.utc = false;
    this.start = 0n;
    this.end = 0n;
    this.step = SECOND;
    /** @type {Map<bigint, Record<string, number>>} */
    this.bars = new Map();
    /** Bars that are marked: from, to. @type {[number, number] | null} */
    this.range = null;
    this.cursor = -1;
    this.tip = el("div", { class: "tip", role: "status", hidden: true });
    this.plot = el("div", { class: "plot", tabIndex: 0, role: "group" });
    into.append(this.plot, this.tip);
    this.listen();
    new ResizeObserver(() => this.draw()).observe(into);
  }

  /** How many bars there is room for. */
  get wanted() {
    return Math.max(20, Math.min(160, Math.floor(this.into.clientWidth / 8)));
  }

  /** @param {{start: string, end: string, step: number, bars: {time: string, counts: Record<string, number>}[]}} hits */
  show(hits) {
    this.start = nanos(hits.start) ?? 0n;
    this.end = nanos(hits.end) ?? 0n;
    this.step = BigInt(Math.round(hits.step * 1e9));
    this.bars = new Map();
    for (const bar of hits.bars) {
      const sums = /** @type {Record<string, number>} */ ({});
      for (const [level, rows] of Object.entries(bar.counts)) {
        const cls = levelClass(level);
        sums[cls] = (sums[cls] ?? 0) + rows;
      }
      this.bars.set(nanos(bar.time) ?? 0n, sums);
    }
    this.range = null;
    this.cursor = -1;
    this.draw();
  }

  clear() {
    this.bars = new Map();
    this.end = this.start;
    this.draw();
  }

  get first() {
    return (this.start / this.step) * this.step;
  }

  get number() {
    return this.end > this.start ? Number((this.end - this.first + this.step - 1n) / this.step) : 0;
  }

  /** Begin of a bar. @param {number} index */
  at(index) {
    return this.first + BigInt(index) * this.step;
  }

  draw() {
    const width = this.into.clientWidth;
    const number = this.number;
    if (!width || !number || number > 20_000) {
      put(this.plot);
      return;
    }
    const each = width / number;
    const gap = each > 4 ? 1 : 0;
    const sums = Array.from({ length: number }, (_, index) => this.bars.get(this.at(index)));
    const most = Math.max(1, ...sums.map((one) => (one ? Object.values(one).reduce((a, b) => a + b, 0) : 0)));
    const root = svg("svg", { width, height: HEIGHT + 15, "aria-hidden": "true" });
    for (const [index, one] of sums.entries()) {
      if (!one) continue;
      const total = Object.values(one).reduce((a, b) => a + b, 0);
      // A single line among millions must still be seen.
      const scale = Math.max(2, (total / most) * (HEIGHT - 4)) / total;
      let y = HEIGHT;
      for (const [cls, name] of ORDER) {
        const rows = one[cls];
        if (!rows) continue;
        const height = cls === "error" || cls === "warn" ? Math.max(1.5, rows * scale) : rows * scale;
        y -= height;
        root.append(svg("rect", { class: `b-${name}`, x: (index * each).toFixed(2), y: y.toFixed(2), width: Math.max(1, each - gap).toFixed(2), height: height.toFixed(2) }));
      }
    }
    root.append(svg("line", { class: "ground", x1: 0, x2: width, y1: HEIGHT + 0.5, y2: HEIGHT + 0.5 }));
    this.ticks(root, width);
    this.shade = svg("rect", { class: "shade", y: 0, height: HEIGHT, width: 0 });
    root.append(this.shade);
    put(this.plot, root, sums.some(Boolean) && el("span", { class: "most", title: `${exact(most)} lines in the highest bar` }, count(most)));
    const total = sums.reduce((all, one) => all + (one ? Object.values(one).reduce((a, b) => a + b, 0) : 0), 0);
    this.plot.setAttribute("aria-label", `${exact(total)} lines from ${full(this.start, this.utc)} to ${full(this.end, this.utc)}. Arrow keys move over the bars, Shift and arrows mark, Enter zooms, Backspace steps out.`);
    this.mark();
  }

  /** @param {Element} root @param {number} width */
  ticks(root, width) {
    const span = Number(this.end - this.first) / 1e9;
    const least = (span * 90) / width;
    if (least > 90 * 86_400) return this.years(root, width, least / (365.25 * 86_400));
    const every = STEPS.find((step) => step >= least) ?? STEPS[STEPS.length - 1];
    const fine = least < 1 ? Math.max(least, 0.001) : every;
    const step = BigInt(Math.round(fine * 1e9));
    // Ticks stand at full hours and days of the zone that is shown.
    const away = this.utc ? 0n : BigInt(-new Date(Number(this.start / 1_000_000n)).getTimezoneOffset()) * 60n * SECOND;
    for (let time = ((this.first + away + step - 1n) / step) * step - away; time < this.end; time += step) {
      this.tick(root, width, time, tick(time, this.utc, step));
    }
  }

  /** Ticks at the begin of years. @param {Element} root @param {number} width @param {number} least Years between two. */
  years(root, width, least) {
    const every = [1, 2, 5, 10, 20, 50, 100].find((years) => years >= least) ?? 200;
    const last = new Date(Number(this.end / 1_000_000n)).getUTCFullYear();
    for (let year = last - (last % every); year > 1677; year -= every) {
      const time = BigInt(Date.UTC(year, 0)) * 1_000_000n;
      if (time < this.first) break;
      this.tick(root, width, time, String(year));
    }
  }

  /** @param {Element} root @param {number} width @param {bigint} time @param {string} words */
  tick(root, width, time, words) {
    const x = (Number(time - this.first) / Number(this.end - this.first)) * width;
    if (x > width - 30 || x < 2) return;
    root.append(svg("line", { class: "ground", x1: x, x2: x, y1: HEIGHT, y2: HEIGHT + 3 }));
    root.append(svg("text", { x, y: HEIGHT + 13, "text-anchor": x < 30 ? "start" : "middle" }, words));
  }

  listen() {
    let from = -1;
    const bar = (/** @type {PointerEvent | MouseEvent} */ event) => {
      const box = this.plot.getBoundingClientRect();
      return Math.max(0, Math.min(this.number - 1, Math.floor(((event.clientX - box.left) / box.width) * this.number)));
    };
    this.plot.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !this.number) return;
      from = bar(event);
      this.plot.setPointerCapture(event.pointerId);
    });
    this.plot.addEventListener("pointermove", (event) => {
      if (!this.number) return;
      this.cursor = bar(event);
      this.range = from >= 0 ? [Math.min(from, this.cursor), Math.max(from, this.cursor)] : null;
      this.mark();
    });
    this.plot.addEventListener("pointerup", (event) => {
      const to = bar(event);
      const dragged = from >= 0 && to !== from;
      if (dragged) this.zoom(Math.min(from, to), Math.max(from, to));
      from = -1;
      this.range = null;
      this.mark();
    });
    this.plot.addEventListener("pointercancel", () => (from = -1));
    this.plot.addEventListener("pointerleave", () => from < 0 && this.leave());
    this.plot.addEventListener("dblclick", () => this.how.out());
    this.plot.addEventListener("blur", () => this.leave());
    this.plot.addEventListener("keydown", (event) => this.key(event));
  }

  leave() {
    this.cursor = -1;
    this.range = null;
    this.mark();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const move = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -1e9, End: 1e9 }[event.key];
    if (move && this.number) {
      const before = this.cursor < 0 ? this.number - 1 : this.cursor;
      const clamp = (/** @type {number} */ at) => Math.max(0, Math.min(this.number - 1, at));
      this.cursor = this.cursor < 0 ? before : clamp(before + move);
      if (event.shiftKey) {
        const fixed = this.range ? (this.range[0] === before ? this.range[1] : this.range[0]) : before;
        this.range = [Math.min(fixed, this.cursor), Math.max(fixed, this.cursor)];
      } else this.range = null;
      this.mark();
    } else if (event.key === "Enter" && this.cursor >= 0) {
      const [a, b] = this.range ?? [this.cursor, this.cursor];
      this.zoom(a, b);
    } else if (event.key === "Backspace") this.how.out();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {number} a @param {number} b */
  zoom(a, b) {
    const start = this.at(a) > this.start ? this.at(a) : this.start;
    const end = this.at(b + 1) < this.end ? this.at(b + 1) : this.end;
    this.how.zoom(start, end);
  }

  /** Shows what is marked or pointed at, and says time and counts. */
  mark() {
    const [a, b] = this.range ?? [this.cursor, this.cursor];
    if (a < 0 || !this.number || !this.shade) {
      this.tip.hidden = true;
      this.shade?.setAttribute("width", "0");
      return;
    }
    const width = this.into.clientWidth;
    const each = width / this.number;
    this.shade.setAttribute("x", String(a * each));
    this.shade.setAttribute("width", String((b - a + 1) * each));
    const sums = /** @type {Record<string, number>} */ ({});
    for (let index = a; index <= b; index++) {
      for (const [cls, rows] of Object.entries(this.bars.get(this.at(index)) ?? {})) sums[cls] = (sums[cls] ?? 0) + rows;
    }
    const total = Object.values(sums).reduce((x, y) => x + y, 0);
    const to = full(this.at(b + 1), this.utc);
    put(this.tip,
      el("b", {}, `${full(this.at(a), this.utc)} – ${to.slice(11)}`),
      el("span", {}, `${exact(total)} ${total === 1 ? "line" : "lines"}`),
      ...ORDER.filter(([cls]) => sums[cls]).map(([cls, name]) => el("span", { class: `t-${name}` }, `${name === "none" ? "no level" : name} ${exact(sums[cls])}`)),
    );
    this.tip.hidden = false;
    const left = Math.max(0, Math.min(width - this.tip.offsetWidth, ((a + b + 1) / 2) * each - this.tip.offsetWidth / 2));
    this.tip.style.left = `${left}px`;
  }
}
