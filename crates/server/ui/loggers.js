// @ts-check
/**
 * The page that makes and changes loggers and shortcuts while the node runs. What is chosen stands behind the address's #.
 */
import { Refusal, json, post } from "./api.js";
import { el, id, put } from "./dom.js";

/** @typedef {{name: string, displayed: boolean, filtered: boolean, context: boolean, excluded: boolean}} Column */
/** @typedef {{name: string, selector: string, days: number, columns: Column[]}} Logger */
/** @typedef {{name: string, logger: string, description: string, url: string, default_field: string}} Shortcut */

/** Of a column: how it is called, and what it does. */
const FLAGS = /** @type {const} */ ([
  ["displayed", "shown", "The page shows it as a column"],
  ["filtered", "filter", "The page offers its values at once"],
  ["context", "on demand", "It is shown when a row is opened, not as a column"],
  ["excluded", "left out", "Answers of /api/grep/ leave it out"],
]);

/** @type {{loggers: Logger[], shortcuts: Shortcut[]}} */
let book = { loggers: [], shortcuts: [] };

/** What the address asks for: a kind, and a name that is empty for a new one. */
function chosen() {
  const [kind, name = ""] = decodeURIComponent(location.hash.slice(1)).split("/");
  return { kind: kind === "shortcut" ? "shortcut" : "logger", name };
}

/** @param {string} kind @param {string} name */
const address = (kind, name) => `#${kind}/${encodeURIComponent(name)}`;

let saying = 0;
/** @param {string} words */
function say(words) {
  put(id("said"), words);
  clearTimeout(saying);
  saying = setTimeout(() => put(id("said")), 4000);
}

/** @param {any} error */
function failed(error) {
  const box = id("error");
  box.hidden = error === null;
  if (error === null) return;
  if (error instanceof Refusal && error.status === 401) {
    return put(box, el("b", {}, "This node asks for a token. "), el("a", { href: "/" }, "Give it on the page of lines"), ", in this tab, and come back.");
  }
  put(box, el("b", {}, `${error.message.replace(/[^.!?]$/, "$&.")}`), error.remedy && ` ${error.remedy}`);
}

/** Does something that the node may refuse. @param {() => Promise<void>} work */
async function tried(work) {
  failed(null);
  await work().catch(failed);
}

// ---- The list

function names() {
  const now = chosen();
  /** @param {string} kind @param {string} name @param {string} label */
  const one = (kind, name, label) => el("button", {
    type: "button", "aria-current": String(now.kind === kind && now.name === name), onclick: () => (location.hash = address(kind, name)),
  }, label);
  /** @param {string} title @param {string} kind @param {{name: string}[]} all */
  const list = (title, kind, all) => [
    el("h2", {}, title),
    el("ul", { role: "list" }, ...all.map(({ name }) => el("li", {}, one(kind, name, name)))),
    one(kind, "", `New ${kind}`),
  ];
  put(id("names"), ...list("Loggers", "logger", book.loggers), ...(book.loggers.length ? list("Shortcuts", "shortcut", book.shortcuts) : []));
}

// ---- Settings of one

/** @param {string} label @param {HTMLElement} input @param {string} hint */
function field(label, input, hint) {
  input.id = `of-${label.toLowerCase().replace(/\W+/g, "-")}`;
  return [el("label", { for: input.id }, label), input, el("p", { class: "hint" }, hint)];
}

/** @param {string} value @param {boolean} [fixed] */
const text = (value, fixed) => el("input", { type: "text", value, readOnly: fixed, autocomplete: "off", spellcheck: false });

/**
 * @param {string} kind @param {string} name Empty for a new one.
 * @param {import("./dom.js").Kid[]} fields
 * @param {() => object} read
 * @param {import("./dom.js").Kid[]} links
 */
function form(kind, name, fields, read, links) {
  const save = () => tried(async () => {
    const given = /** @type {{name: string}} */ (read());
    book = await post(`${kind}s/set`, given);
    say(`${given.name} is saved. It holds from now on.`);
    if (chosen().name === given.name) draw();
    else location.hash = address(kind, given.name);
  });
  const remove = () => tried(async () => {
    book = await post(`${kind}s/remove?name=${encodeURIComponent(name)}`, {});
    say(`${name} is gone. Its rows stay.`);
    location.hash = address(kind, "");
  });
  put(id("form"), el("form", { onsubmit: (/** @type {Event} */ event) => (event.preventDefault(), save()) },
    el("h2", {}, name || `New ${kind}`), ...fields,
    el("p", { class: "do" }, el("button", { class: "primary" }, "Save"), ...(name ? links : []),
      name && el("button", { type: "button", class: "away", onclick: remove }, "Remove")),
  ));
}

/** @param {Logger} logger */
async function ofLogger({ name, selector, days, columns }) {
  const given = name ? (await json("loggers/columns", { name })).columns : columns;
  const inputs = { name: text(name, name !== ""), selector: text(selector), days: el("input", { type: "number", min: "0", max: "36500", value: String(days) }) };
  const set = new Set(columns.map((column) => column.name));
  /** @type {Map<string, Record<string, HTMLInputElement>>} */
  const boxes = new Map();
  const body = el("tbody");
  const row = (/** @type {Column} */ column) => {
    const of = Object.fromEntries(FLAGS.map(([flag]) => [flag, el("input", { type: "checkbox", checked: column[flag], "aria-label": `${column.name}: ${flag}` })]));
    boxes.set(column.name, of);
    body.append(el("tr", {}, el("th", { scope: "row" }, column.name), ...FLAGS.map(([flag]) => el("td", {}, of[flag]))));
  };
  given.forEach(row);
  const more = el("input", { type: "text", placeholder: "Another field", "aria-label": "Another field", autocomplete: "off", spellcheck: false, onkeydown: (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    const one = more.value.trim();
    if (one && !boxes.has(one)) row({ name: one, displayed: true, filtered: false, context: false, excluded: false });
    if (one) set.add(one);
    more.value = "";
  } });
  /** What is set of columns; of those that are as they appear, nothing is. */
  const kept = () => [...boxes].map(([of, box]) => ({ name: of, ...Object.fromEntries(FLAGS.map(([flag]) => [flag, box[flag].checked])) }))
    .filter((column) => set.has(column.name) || FLAGS.some(([flag]) => /** @type {any} */ (column)[flag] !== (flag === "displayed")));
  form("logger", name, [
    ...field("Name", inputs.name, "As it stands in addresses: /grep/NAME/."),
    ...field("Search", inputs.selector, "Which rows: a search without pipes, such as _tag:logstash logger:web*. Empty: all rows."),
    ...field("Days", inputs.days, "Rows older than this are deleted, unless another logger has them and keeps them longer. 0: they stay as long as the store keeps rows."),
    el("fieldset", {}, el("legend", {}, "Columns"),
      el("p", { class: "hint" }, "Fields of which nothing is set appear by themselves, beside the message."),
      el("div", { class: "sheet" }, el("table", {}, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "field"), ...FLAGS.map(([, label, title]) => el("th", { scope: "col", title }, label)))), body)),
      more),
  ], () => ({ name: inputs.name.value.trim(), selector: inputs.selector.value.trim(), days: Number(inputs.days.value) || 0, columns: kept() }), [
    el("a", { href: `/grep/${name}/` }, "Current log tail"),
    el("a", { href: `/grep/${name}/?live=1` }, "Live"),
  ]);
}

/** @param {Shortcut} shortcut */
function ofShortcut({ name, logger, description, url, default_field }) {
  const inputs = {
    name: text(name, name !== ""),
    logger: el("select", {}, ...book.loggers.map((one) => el("option", { value: one.name, selected: one.name === logger }, one.name))),
    description: text(description), url: text(url), default_field: text(default_field),
  };
  form("shortcut", name, [
    ...field("Name", inputs.name, "As it stands in addresses: /grep/shortcut/NAME/."),
    ...field("Logger", inputs.logger, "Where it leads to."),
    ...field("Description", inputs.description, "Shown beside it in the list."),
    ...field("Parameters", inputs.url, "Of the logger's address: levelname=ERROR&search=timeout. The address of a page will do, too."),
    ...field("Default field", inputs.default_field, "What the value behind the name is for: /grep/shortcut/NAME/VALUE/. A record that has it leads to all that have its value."),
  ], () => Object.fromEntries(Object.entries(inputs).map(([of, input]) => [of, input.value.trim()])), [
    el("a", { href: `/grep/shortcut/${name}/` }, "Open"),
  ]);
}

function draw() {
  names();
  const { kind, name } = chosen();
  const shortcut = kind === "shortcut" && (book.shortcuts.find((one) => one.name === name) ?? { name: "", logger: book.loggers[0]?.name ?? "", description: "", url: "", default_field: "" });
  if (shortcut) return ofShortcut(shortcut);
  return tried(() => ofLogger(book.loggers.find((one) => one.name === name) ?? { name: "", selector: "", days: 0, columns: [] }));
}

addEventListener("hashchange", () => draw());
tried(async () => {
  book = await json("loggers");
  if (!location.hash && book.loggers.length) history.replaceState(null, "", address("logger", book.loggers[0].name));
  draw();
});
