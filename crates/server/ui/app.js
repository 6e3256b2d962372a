// @ts-check
/**
 * The page: holds the state and hands it to the parts. What changes the address goes through `go`.
 */
import { Lost, Refusal, alive, json, useToken } from "./api.js";
import { copy, el, id, popup, put } from "./dom.js";
import { Fields } from "./fields.js";
import { Finder } from "./finder.js";
import { count, exact, plural, seconds } from "./format.js";
import { Histogram } from "./histogram.js";
import * as keys from "./keys.js";
import { marks, narrow, place, searchEnd } from "./lang.js";
import { List } from "./list.js";
import { Live } from "./live.js";
import { parts } from "./parts.js";
import { panel } from "./record.js";
import { address, ids, level, rec, reads, source, text, time } from "./rows.js";
import * as states from "./state.js";
import { table } from "./table.js";
import { empty, noMatch, similar } from "./teach.js";
import { nodes, plain } from "./text.js";
import { SECOND, bounds, full, isOpen, label, nanos, now, rfc, rowTime, zone } from "./time.js";
import { timeMenu } from "./timemenu.js";

let state = states.read();
/** What is marked in lines. @type {RegExp | null} */
let marked = null;
/** Lines found in all, `null` while they are counted. @type {number | null} */
let total = null;
/** What the node last said of itself. @type {any} */
let status = null;
/** Rows that came live while the list was scrolled away from the top. @type {import("./rows.js").Item[]} */
let held = [];
/** How much of the date rows show: nothing, month and day, or the year, too. @type {0 | 1 | 2} */
let dated = 0;
/** Letters that fit in the line's column. */
let room = 0;
/** The rows that are shown: those of the last search that found any or ended, until the next one does.
 * @type {import("./rows.js").Item[]} */
let items = [];
let version = 0;
let side = new AbortController();

const query = /** @type {HTMLInputElement} */ (id("query"));
const view = id("list");

const finder = new Finder({ grown: () => grown(), done: () => done(), failed: (error) => failed(error) });
const list = new List(view, { draw, near: () => finder.more(), scrolled });
const chart = new Histogram(id("chart"), { zoom: (start, end) => go({ from: rfc(start), to: rfc(end), live: false }), out: widen });
const fields = new Fields(id("fields"), {
  state: () => state,
  query: (q) => go({ q }),
  narrow: (field, value, not) => go({ q: narrow(state.q, field, value, not) }),
  column,
  values: (field) => json("values", { ...finder.params, field, limit: 10 }, side.signal),
});
const live = new Live({ take: came, left: say, open: (again) => again && search(), failed: (error) => failed(error) });

// ---- Going somewhere

/** @param {Partial<import("./state.js").State>} changes @param {boolean} [replace] */
function go(changes, replace = false) {
  const before = state;
  state = { ...state, ...changes };
  const moved = state.q !== before.q || state.from !== before.from || state.to !== before.to;
  if (moved && changes.at === undefined) state.at = "";
  const opened = state.parts && !before.parts;
  states.write(state, replace || (!moved && !opened));
  follow(before);
}

/** Brings the page from one state to that which is now. @param {import("./state.js").State} before */
function follow(before) {
  const moved = state.q !== before.q || state.from !== before.from || state.to !== before.to;
  look();
  if (moved) search();
  else {
    fields.draw();
    if (state.at !== before.at) list.redraw();
  }
  if (state.live !== before.live || (moved && state.live)) follows();
}

function follows() {
  if (state.live && searchEnd(state.q) === state.q.length) live.start(state.q);
  else {
    live.stop();
    release();
  }
}

/** @param {string} field */
function column(field) {
  go({ cols: state.cols.includes(field) ? state.cols.filter((one) => one !== field) : [...state.cols, field] });
}

/** Steps out to a wider time, as far again on both sides. */
function widen() {
  if (chart.end <= chart.start) return;
  const span = chart.end - chart.start;
  go({ from: rfc(chart.start - span), to: rfc(chart.end + span), live: false });
}

/** Moves to an earlier (-1) or later (1) time, by half of what is shown. @param {bigint} by */
function shift(by) {
  if (chart.end <= chart.start) return;
  const away = ((chart.end - chart.start) / 2n) * by;
  go({ from: rfc(chart.start + away), to: rfc(chart.end + away), live: false });
}

/** Shows lines around one: of its source, or of another query. @param {import("./rows.js").Rec} record @param {string} [q] @param {bigint} [seconds] */
function around(record, q = `_source:${record._source}`, seconds = 30n) {
  const at = time(record);
  go({ q, from: rfc(at - seconds * SECOND), to: rfc(at + seconds * SECOND), at: address(record), live: false });
}

// ---- Searching

async function search() {
  version++;
  side.abort();
  side = new AbortController();
  total = null;
  held = [];
  mend();
  wrong(null);
  id("fresh").hidden = true;
  document.title = state.q ? `${state.q} · sawlog` : "sawlog";
  slow(true);
  const page = finder.find(state);
  counts();
  await page;
}

/** Puts what the search finds in the place of what was shown before; until then nothing moves. */
function take() {
  if (items === finder.items) return;
  items = finder.items;
  marked = marks(finder.query);
  slow(false);
  stale(false);
  notice(null);
  id("table").hidden = finder.records;
  list.reset(finder.records ? items.length : 0);
  if (finder.records && items.length) reveal();
}

/** Whether what is shown is of an earlier search. @param {boolean} on */
const stale = (on) => document.body.classList.toggle("stale", on);

/** Asks for what stands beside the lines: bars, fields, the number of all lines. */
async function counts() {
  const { signal } = side;
  const mine = version;
  const started = finder.params;
  try {
    const [hits, names, node] = await Promise.all([
      json("hits", { ...started, bars: chart.wanted }, signal),
      json("fields", { start: started.start, end: started.end }, signal),
      json("status", {}, signal),
    ]);
    if (mine !== version) return;
    status = node;
    total = hits.total;
    chart.utc = state.utc;
    chart.show(hits);
    dates();
    fields.show(names.fields);
    fields.renew(hits.total);
    stats();
  } catch (error) {
    // The lines' own request tells what is wrong with the query; only a connection is worth a word from here.
    if (!signal.aborted && error instanceof Lost) failed(error);
  }
}

function grown() {
  if (!finder.records) return;
  take();
  list.grow(items.length);
  dates();
}

/** How much of the date rows need: what is in reach may be of another day than today, or of another year. */
function dates() {
  if (!items.length || !finder.records) return;
  const day = (/** @type {bigint} */ ns) => full(ns, state.utc).slice(0, 10);
  const ends = [time(rec(items[0])), time(rec(items[items.length - 1])), ...(chart.number ? [chart.start] : [])];
  const others = ends.map(day).filter((one) => one !== day(now()));
  const next = others.some((one) => one.slice(0, 4) !== day(now()).slice(0, 4)) ? 2 : others.length ? 1 : 0;
  if (next === dated) return;
  dated = next;
  look();
}

/** Opens the row that the address names, once it is there. */
function reveal() {
  if (!state.at) return;
  const index = items.slice(0, 5000).findIndex((item) => address(rec(item)) === state.at);
  if (index < 0) return;
  list.grow(items.length);
  list.select(index, false);
  view.scrollTop = Math.max(0, list.heights.top(index) - view.clientHeight / 3);
}

function done() {
  take();
  slow(false);
  lost(false);
  if (!finder.records) table(id("table"), items);
  else if (!items.length) nothing();
  else if (list.selected < 0) reveal();
  stats();
  list.show();
}

/** @param {any} error */
function failed(error) {
  slow(false);
  if (error instanceof Lost) return lost(true);
  if (error instanceof Refusal && error.status === 401) return login();
  wrong(error);
  stale(items !== finder.items);
}

/** Nothing was found: says what was searched, and where something like it is. */
async function nothing() {
  const mine = version;
  const { signal } = side;
  const node = await json("status", {}, signal).catch(() => null);
  if (mine !== version || !node) return;
  status = node;
  if (!node.store.records) return wait(mine);
  /** @type {import("./teach.js").Offer[]} */
  const offers = [];
  const shown = () => mine === version && !items.length && notice(noMatch(state.q, label(state, state.utc), offers));
  /** @type {{fields: import("./fields.js").Field[]}} */
  const ever = await json("fields", {}, signal).catch(() => ({ fields: [] }));
  if (mine !== version) return;
  for (const [asked, name] of similar(state.q, ever.fields.map((field) => field.name))) {
    const better = state.q.replaceAll(`${asked}:`, `${name}:`);
    offers.push({ label: `${name} instead of ${asked}`, act: () => go({ q: better }) });
  }
  if (state.from || state.to) offers.push({ label: "Search all time", act: () => go({ from: "", to: "" }) });
  shown();
  const { start } = bounds(state);
  if (start === null) return;
  const probe = new Finder({ grown() {}, done() {}, failed() {} });
  signal.addEventListener("abort", () => probe.stop());
  probe.query = state.q;
  await probe.page(1, String(start), new Set());
  if (!probe.items.length || !probe.records) return;
  const near = time(rec(probe.items[0]));
  offers.unshift({ label: `Last match before: ${full(near, state.utc)}`, act: () => go({ from: rfc(near - 1800n * SECOND), to: rfc(near + 1800n * SECOND), live: false }) });
  shown();
}

/** No line was ever stored: teaches, and looks again until there is one. @param {number} mine */
async function wait(mine) {
  document.body.classList.add("empty");
  notice(empty(status, say));
  while (mine === version) {
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const node = await json("status", {}, side.signal).catch(() => null);
    if (mine !== version || !node?.store.records) continue;
    document.body.classList.remove("empty");
    say("The first line arrived.");
    return search();
  }
}

// ---- Rows

/** @param {number} index @param {HTMLLIElement} row */
function draw(index, row) {
  const record = rec(items[index]);
  const { text: word, cls } = level(record);
  const { main, more } = reads(record);
  const open = state.at !== "" && address(record) === state.at;
  row.id = `row-${index}`;
  row.classList.add(`l-${cls || "none"}`);
  row.classList.toggle("open", open);
  const ns = time(record);
  const line = el("span", { class: "line" }, nodes(main, marked, { oneLine: !state.wrap, room: state.wrap ? 0 : room }));
  // Fields beside a message stand behind it as far as there is room; elements that nobody sees cost most of scrolling.
  let left = state.wrap ? Infinity : room - main.length;
  for (const [name, value] of more) {
    if (left <= 0) break;
    if (state.cols.includes(name)) continue;
    const shown = text(value);
    left -= name.length + shown.length + 2;
    line.append(el("span", { class: "kv" }, ` ${name}=`, nodes(shown, marked, { oneLine: true })));
  }
  put(row, el("div", { class: "cells" },
    el("span", { class: "when", title: `${full(ns, state.utc)} ${zone(state.utc)}` }, el("button", { type: "button", class: "fold", tabIndex: -1, "aria-expanded": String(open), "aria-label": `${open ? "Close" : "Open"} the record` }, open ? "▾" : "▸"), el("time", { dateTime: rfc(ns) }, rowTime(ns, state.utc, dated))),
    el("span", { class: "level" }, word),
    el("span", { class: "from" }, plain(source(record))),
    ...state.cols.map((name) => el("span", { class: "col" }, nodes(text(record[name]), marked, { oneLine: true }))),
    line,
  ), open && panel(record, marked, state, { narrow: (field, value, not) => go({ q: narrow(state.q, field, value, not) }), column, around, same: (field, value, record) => around(record, narrow("", field, value, false), 3600n), say, grown: () => list.show() }));
}

/** Opens or closes a row. @param {number} index */
function toggle(index) {
  const item = items[index];
  if (!item) return;
  const at = address(rec(item));
  const before = items.findIndex((one) => one.rec && state.at && address(one.rec) === state.at);
  state = { ...state, at: state.at === at ? "" : at };
  states.write(state, true);
  if (before >= 0 && before !== index) list.refresh(before);
  list.selected = index;
  list.refresh(index);
  list.select(index);
}

view.addEventListener("click", (event) => {
  const target = /** @type {HTMLElement} */ (event.target);
  const cells = target.closest(".cells");
  if (!cells || getSelection()?.toString()) return;
  toggle(Number(/** @type {HTMLElement} */ (cells.parentElement).dataset.index));
});

/** @param {number} top */
function scrolled(top) {
  if (top < 2 && held.length) release();
}

// ---- Live

/** @param {string[]} jsons */
function came(jsons) {
  const seen = new Set(items.slice(0, 500).map((item) => address(rec(item))));
  const fresh = jsons.map((one) => ({ json: one, rec: null })).filter((item) => !seen.has(address(rec(item)))).reverse();
  if (!fresh.length || finder.running) return;
  held.unshift(...fresh);
  if (held.length > 10_000) held.length = 10_000;
  const open = list.rows.get(list.selected)?.classList.contains("open");
  if (view.scrollTop < 2 && !open) release();
  else {
    put(id("fresh"), `↑ ${plural(held.length, "new line", "new lines")}`);
    id("fresh").hidden = false;
  }
  announce(fresh.length);
}

/** Shows the rows that were held back. */
function release() {
  id("fresh").hidden = true;
  if (!held.length) return;
  const fresh = held;
  held = [];
  notice(null);
  const begin = items.length === 0;
  items.unshift(...fresh);
  if (total !== null) total += fresh.length;
  if (status) status.store.records += fresh.length;
  if (begin) list.reset(items.length);
  else list.unshift(fresh.length, false);
  view.scrollTop = 0;
  stats();
  again();
}

let again_ = 0;
/** Counts again after live lines, now and then. */
function again() {
  again_ ||= setTimeout(() => {
    again_ = 0;
    if (!state.live || !isOpen(state)) return;
    finder.range(state);
    counts();
  }, 5000);
}

let unsaid = 0;
let saying = 0;
/** Tells of new lines politely: at most every few seconds. @param {number} by */
function announce(by) {
  unsaid += by;
  saying ||= setTimeout(() => {
    put(id("heard"), plural(unsaid, "new line", "new lines"));
    unsaid = saying = 0;
  }, 4000);
}

id("fresh").addEventListener("click", () => {
  view.scrollTop = 0;
  release();
});

// ---- What is around the lines

let said = 0;
/** Says something in passing, to eyes and ears. @param {string} words */
function say(words) {
  put(id("said"), words);
  clearTimeout(said);
  said = setTimeout(() => put(id("said")), 3000);
}

function stats() {
  if (!finder.records) {
    put(id("stats"), `${plural(items.length, "row", "rows")} · ${seconds(finder.seconds)}`);
    return;
  }
  const all = status?.store.records ?? 0;
  const number = total === null ? (finder.ended ? items.length : null) : Math.max(total, finder.ended ? items.length : 0);
  put(id("stats"),
    number === null ? "…" : el("b", { title: exact(number) }, count(number)),
    all ? el("span", { title: `${exact(all)} lines in this node` }, ` of ${count(all)} lines`) : number === 1 ? " line" : " lines",
    ` · ${seconds(finder.seconds)}`,
    el("span", { class: "zone" }, ` · ${zone(state.utc)}`),
  );
}

let slowly = 0;
/** Shows that something goes on, if it goes on for a while. @param {boolean} on */
function slow(on) {
  clearTimeout(slowly);
  if (!on) id("progress").hidden = true;
  else
    slowly = setTimeout(() => {
      id("progress").hidden = false;
      stale(items !== finder.items);
    }, 300);
}

/** What stands instead of lines. @param {Node | null} node */
function notice(node) {
  document.body.classList.remove("empty");
  id("notice").hidden = node === null;
  if (node) put(id("notice"), node);
  if (node && status && !status.store.records) document.body.classList.add("empty");
}

/** Underlines what is wrong in the query and says what would do. @param {any} error */
function wrong(error) {
  const box = id("error");
  const under = id("underline");
  box.hidden = error === null;
  query.setAttribute("aria-invalid", String(error !== null));
  put(under);
  if (error === null) return;
  if (error.start !== undefined) {
    const from = place(state.q, error.start);
    const to = Math.max(from + 1, place(state.q, error.end ?? error.start + 1));
    put(under, state.q.slice(0, from), el("u", {}, state.q.slice(from, to) || " "), state.q.slice(to));
    under.scrollLeft = query.scrollLeft;
  }
  // What is said of a place in the query has its remedy in it.
  const words = `${error.message[0].toUpperCase()}${error.message.slice(1)}`.replace(/[^.!?]$/, "$&.");
  put(box, el("b", {}, words), error.start === undefined && error.remedy && ` ${error.remedy}`);
}

let waiting = false;
/** Says that the node does not answer, and looks for it until it does. @param {boolean} on */
async function lost(on) {
  id("lost").hidden = !on;
  if (!on || waiting) return;
  waiting = true;
  for (let seconds_ = 1; ; seconds_ = Math.min(seconds_ * 2, 8)) {
    put(id("lost"), "No connection to the node · trying again");
    await new Promise((resolve) => setTimeout(resolve, seconds_ * 1000));
    if (await alive().then(() => true, () => false)) break;
  }
  waiting = false;
  id("lost").hidden = true;
  search();
}

/** Asks for a token. */
function login() {
  if (document.querySelector("dialog.login")) return;
  const token = el("input", { type: "password", id: "token", autocomplete: "current-password" });
  const dialog = el("dialog", { class: "login" }, el("form", { method: "dialog", onsubmit: () => {
    useToken(token.value.trim());
    dialog.remove();
    search();
  } }, el("h2", {}, "This node asks for a token"), el("label", { for: "token" }, "Token"), token, el("button", { class: "primary" }, "Go on"),
    el("p", { class: "none" }, "It is kept until this tab is closed.")));
  document.body.append(dialog);
  dialog.showModal();
}

/** Brings all that depends on the state but not on rows in line with it. */
function look() {
  const body = document.body.classList;
  body.toggle("wrap", state.wrap);
  body.toggle("roomy", state.roomy);
  body.toggle("bare", state.bare);
  const shown = document.querySelector("dialog.parts");
  if (state.parts && !shown) parts(() => go({ parts: false }));
  else if (!state.parts && shown instanceof HTMLDialogElement) shown.close();
  if (document.activeElement !== query || query.value.trim() !== state.q) query.value = state.q;
  put(id("time"), label(state, state.utc), el("span", { class: "caret", "aria-hidden": "true" }, "▾"));
  id("live").setAttribute("aria-pressed", String(state.live));
  id("results").style.setProperty("--grid", `${[15, 21, 26][dated]}ch 6ch 15ch ${"var(--col) ".repeat(state.cols.length)}minmax(0, 1fr)`);
  put(id("head"), el("span", {}, "time"), el("span", {}, "level"), el("span", {}, "source"),
    ...state.cols.map((name) => el("span", { class: "col" }, el("span", {}, name), el("button", { type: "button", tabIndex: -1, title: `Take the column ${name} away`, onclick: () => column(name) }, "×"))),
    el("span", {}, "line"));
  measure();
}

/** How high a row is and how many letters of a line it shows. */
function measure() {
  const style = getComputedStyle(document.body);
  const height = parseFloat(style.getPropertyValue("--row")) || 20;
  const narrow_ = matchMedia("(max-width: 640px)").matches;
  const probe = el("span", { class: "probe" }, "0".repeat(20));
  view.append(probe);
  const letter = probe.offsetWidth / 20;
  probe.remove();
  const head = /** @type {HTMLElement} */ (id("head").lastElementChild);
  room = Math.floor((narrow_ ? view.clientWidth - 16 : head.offsetWidth) / letter);
  list.look(height, state.wrap);
}

// ---- The bar

function mend() {
  if (query.value !== state.q) query.value = state.q;
}

id("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const q = query.value.trim();
  if (q === state.q) search();
  else go({ q });
  view.focus({ preventScroll: true });
});
query.addEventListener("input", () => {
  put(id("underline"));
  id("error").hidden = true;
});
query.addEventListener("scroll", () => (id("underline").scrollLeft = query.scrollLeft));
id("home").addEventListener("click", (event) => {
  event.preventDefault();
  go({ q: "", at: "", cols: [] });
});
id("time").addEventListener("click", () => timeMenu(id("time"), state, (range) => go(range.to ? { ...range, live: false } : range)));
id("live").addEventListener("click", () => toggleLive());
id("more").addEventListener("click", menu);

function toggleLive() {
  if (!state.live && searchEnd(state.q) < state.q.length) return say("New lines can be followed by a search without pipes.");
  go(state.live ? { live: false } : { live: true, to: "", at: "", from: bounds(state).end === null ? state.from : "1h" }, state.to === "");
}

function menu() {
  /** @param {string} name @param {string} key @param {boolean} on @param {() => void} act */
  const check = (name, key, on, act) => el("button", { type: "button", role: "menuitemcheckbox", "aria-checked": String(on), onclick: () => (box.hidePopover(), act()) }, name, key && el("kbd", {}, key));
  /** @param {string} name @param {string} key @param {() => void} act */
  const item = (name, key, act) => el("button", { type: "button", role: "menuitem", onclick: () => (box.hidePopover(), act()) }, name, key && el("kbd", {}, key));
  const box = popup(id("more"), el("div", { class: "menu" },
    check("Show fields", "h", !state.bare, () => showFields()),
    check("Wrap lines", "w", state.wrap, () => go({ wrap: !state.wrap })),
    check("Comfortable rows", "", state.roomy, () => go({ roomy: !state.roomy })),
    check("Times in UTC", "", state.utc, () => (go({ utc: !state.utc }), restyle())),
    el("hr"),
    item("Earlier", "[", () => shift(-1n)),
    item("Later", "]", () => shift(1n)),
    item("Copy link", "", async () => say((await copy(location.href)) ? "Link copied." : "The browser did not let it be copied.")),
    item("Inputs and outputs", "s", () => go({ parts: true })),
    item("Keys and search", "?", () => keys.help(KEYS)),
    status && el("p", { class: "none" }, `sawlog ${status.version} · ${count(status.store.records)} lines`),
  ), "View and help", "menu");
}

/** Times are written otherwise now. */
function restyle() {
  chart.utc = state.utc;
  chart.draw();
  stats();
  list.redraw();
}

/** Shows or hides the fields; on a narrow screen they lie over the lines. */
function showFields() {
  if (matchMedia("(max-width: 640px)").matches) document.body.classList.toggle("sheet");
  else go({ bare: !state.bare });
}

/** @param {number} by */
function walk(by) {
  if (!list.length) return;
  const from = list.selected < 0 ? list.heights.find(view.scrollTop) - (by > 0 ? 1 : 0) : list.selected;
  list.select(from + by);
}

/** Goes on to the next row in which something is marked. @param {1 | -1} by */
function match(by) {
  if (!marked) return walk(by);
  for (let at = Math.max(0, list.selected) + by; at >= 0 && at < items.length; at += by) {
    marked.lastIndex = 0;
    if (marked.test(reads(rec(items[at])).main)) return list.select(at);
  }
}

const selected = () => (list.selected >= 0 ? rec(items[list.selected]) : null);

/** @type {keys.Key[]} */
const KEYS = [
  { keys: ["/"], shown: "/", help: "write the query", act: () => query.select() },
  { keys: ["j", "ArrowDown"], shown: "j k", help: "next, previous line", act: () => walk(1) },
  { keys: ["k", "ArrowUp"], shown: "k", help: "", act: () => walk(-1) },
  { keys: [" ", "PageDown"], shown: "space b", help: "page down, up", act: () => walk(list.page) },
  { keys: ["b", "PageUp"], shown: "b", help: "", act: () => walk(-list.page) },
  { keys: ["g", "Home"], shown: "g G", help: "first, last line", act: () => list.select(0) },
  { keys: ["G", "End"], shown: "G", help: "", act: () => list.select(list.length - 1) },
  { keys: ["n"], shown: "n N", help: "next, previous match", act: () => match(1) },
  { keys: ["N"], shown: "N", help: "", act: () => match(-1) },
  { keys: ["Enter"], shown: "enter", help: "open or close the record", act: () => list.selected >= 0 && toggle(list.selected) },
  { keys: ["x"], shown: "x", help: "the lines around this one", act: () => { const one = selected(); if (one) around(one); } },
  { keys: ["y"], shown: "y", help: "copy the line", act: async () => { const one = selected(); if (one) say((await copy(String(one._line))) ? "Line copied." : "The browser did not let it be copied."); } },
  { keys: ["f", "c"], shown: "f", help: "find a field to narrow by or to show as a column", act: () => { if (state.bare) go({ bare: false }); if (matchMedia("(max-width: 640px)").matches) document.body.classList.add("sheet"); fields.filter.hidden = false; fields.filter.focus(); } },
  { keys: ["h"], shown: "h", help: "hide or show the fields", act: showFields },
  { keys: ["t"], shown: "t", help: "choose the time", act: () => id("time").click() },
  { keys: ["["], shown: "[ ]", help: "earlier, later", act: () => shift(-1n) },
  { keys: ["]"], shown: "]", help: "", act: () => shift(1n) },
  { keys: ["l"], shown: "l", help: "follow new lines", act: toggleLive },
  { keys: ["w"], shown: "w", help: "wrap long lines", act: () => go({ wrap: !state.wrap }) },
  { keys: ["s"], shown: "s", help: "what passes through the node: inputs, filters, outputs", act: () => go({ parts: true }) },
  { keys: ["?"], shown: "?", help: "this help", act: () => keys.help(KEYS) },
];

keys.listen(KEYS, () => {
  if (document.body.classList.contains("sheet")) document.body.classList.remove("sheet");
  else if (document.activeElement === query || document.activeElement === fields.filter) {
    mend();
    view.focus({ preventScroll: true });
  } else if (state.at && list.selected >= 0) toggle(list.selected);
  else if (document.activeElement === chart.plot) chart.plot.blur();
  else if (states.steps() > 0) history.back();
});

addEventListener("popstate", () => {
  const before = state;
  state = states.read();
  follow(before);
});
addEventListener("resize", () => measure());

// ---- Begin

/** Where the address says no time: the last hour if something came in it, else all. */
async function begin() {
  if (states.isFresh()) {
    status = await json("status").catch((error) => (failed(error), null));
    const last = nanos(status?.store.last_time ?? "");
    if (last !== null && now() - last < 3600n * SECOND) {
      state = { ...state, from: "1h" };
      states.write(state, true);
    }
  }
  look();
  if (!waiting) await search();
  if (state.live) follows();
  const { shortcuts } = await json("loggers").catch(() => ({ shortcuts: [] }));
  for (const { default_field: field } of shortcuts) if (field) ids.add(field);
}

begin();
