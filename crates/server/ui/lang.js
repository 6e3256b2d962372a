// @ts-check
/**
 * The query as text: its terms, adding and taking away terms as a click does, and what of it can be marked in a line.
 * The meaning is the node's; this knows just enough to write terms and to see words.
 */

/**
 * @typedef {object} Term
 * @property {number} start @property {number} end Where it stands.
 * @property {boolean} not Whether it leaves out.
 * @property {string} field Empty for a word of the line.
 * @property {string} value What is asked for, quotes resolved.
 * @property {"is" | "in" | "phrase" | "regex" | "word"} kind `is`: the whole value; `in`: one of a list.
 */

const TERM = /([-!])?(?:("(?:[^"\\]|\\.)*"|[\p{L}_@.][\p{L}\p{N}_.@-]*):(?=[^\s:)|])(?!\/\/))?(?:\/((?:[^/\\]|\\.)+)\/(?=[\s)|]|$)|(=)?(?:"((?:[^"\\]|\\.)*)"|(in\((?:[^)"]|"(?:[^"\\]|\\.)*")*\)|(?:[^\s"()|\\]|\\.)+)))/uy;

/** Where the search ends and the pipes begin. @param {string} query */
export function searchEnd(query) {
  let quote = "";
  for (let at = 0; at < query.length; at++) {
    const char = query[at];
    if (quote) {
      if (char === "\\") at++;
      else if (char === quote) quote = "";
    } else if (char === '"') quote = char;
    else if (char === "/" && (at === 0 || /[\s:(-]/.test(query[at - 1]))) quote = query.indexOf("/", at + 1) > 0 ? char : "";
    else if (char === "|") return at;
  }
  return query.length;
}

/** @param {string} text */
const unquote = (text) => (text.startsWith('"') ? text.slice(1, -1).replace(/\\(["\\])/g, "$1") : text);

/** The terms of the search. @param {string} query @returns {Term[]} */
export function terms(query) {
  const end = searchEnd(query);
  const found = /** @type {Term[]} */ ([]);
  let at = 0;
  while (at < end) {
    TERM.lastIndex = at;
    const match = TERM.exec(query);
    if (!match || match.index + match[0].length > end) {
      at++;
      continue;
    }
    const [text, minus, name, regex, equals, phrase, bare] = match;
    const start = at;
    at += text.length;
    if (!name && !minus && /^(AND|OR|NOT)$/.test(bare ?? "")) continue;
    const field = name ? unquote(name) : "";
    const value = phrase !== undefined ? phrase.replace(/\\(["\\])/g, "$1") : (regex ?? bare);
    const kind = regex !== undefined ? "regex" : equals && field ? "is" : field && bare?.startsWith("in(") ? "in" : phrase !== undefined ? "phrase" : "word";
    found.push({ start, end: at, not: !!minus, field, value: equals && !field ? `=${value}` : value, kind });
  }
  return found;
}

/** The values of `in(…)`. @param {Term} term */
const items = (term) => [...term.value.slice(3, -1).matchAll(/"(?:[^"\\]|\\.)*"|[^,\s]+/g)].map(([item]) => unquote(item));

/** Text that stands for just itself as a value. @param {string} value */
export const quote = (value) => (/^[\p{L}\p{N}_][\p{L}\p{N}_.-]*$/u.test(value) ? value : `"${value.replace(/[\\"]/g, "\\$&")}"`);

/** A name as a query has it. @param {string} field */
const named = (field) => (/^[\p{L}_@.][\p{L}\p{N}_.@-]*$/u.test(field) ? field : `"${field.replace(/[\\"]/g, "\\$&")}"`);

/** The term for one value or one of some, compared whole. @param {string} field @param {string[]} values @param {boolean} not */
const whole = (field, values, not) =>
  `${not ? "-" : ""}${named(field)}:${values.length === 1 ? `=${quote(values[0])}` : `in(${values.map(quote).join(", ")})`}`;

/** @param {string} query @param {number} start @param {number} end @param {string} by */
function splice(query, start, end, by) {
  const text = query.slice(0, start) + by + query.slice(end);
  return by ? text : text.replace(/ {2,}/g, " ").trim();
}

/** The query with a term at the end of its search. @param {string} query @param {string} added */
export function add(query, added) {
  const end = searchEnd(query);
  const search = query.slice(0, end).trim();
  const pipes = query.slice(end).trim();
  return [search, added, pipes].filter(Boolean).join(" ");
}

/** The term that keeps or leaves out just this value, if there is one. @param {string} query @param {string} field @param {string} value */
function about(query, field, value) {
  return terms(query).find((one) => one.field === field && ((one.kind === "is" && one.value === value) || (one.kind === "in" && items(one).includes(value))));
}

/**
 * Keeps rows that have the value, or leaves them out. A second kept value of a field widens the first, since no row has
 * both; the contrary of a term takes that term away.
 * @param {string} query @param {string} field @param {string} value @param {boolean} not
 */
export function narrow(query, field, value, not) {
  const there = about(query, field, value);
  if (there && there.not === not) return query;
  if (there) query = release(query, field, value);
  const kept = terms(query).find((one) => one.field === field && one.not === not && (one.kind === "is" || one.kind === "in"));
  if (!kept) return add(query, whole(field, [value], not));
  const values = kept.kind === "in" ? items(kept) : [kept.value];
  return splice(query, kept.start, kept.end, whole(field, [...values, value], not));
}

/** Whether the search keeps (1) or leaves out (-1) just this value. @param {string} query @param {string} field @param {string} value */
export function stance(query, field, value) {
  const there = about(query, field, value);
  return there ? (there.not ? -1 : 1) : 0;
}

/** The query without keeping or leaving out the value. @param {string} query @param {string} field @param {string} value */
export function release(query, field, value) {
  const there = about(query, field, value);
  if (!there) return query;
  const left = there.kind === "in" ? items(there).filter((item) => item !== value) : [];
  return splice(query, there.start, there.end, left.length ? whole(field, left, there.not) : "");
}

/** Names of fields that the search tests. @param {string} query */
export const fieldsOf = (query) => [...new Set(terms(query).map((one) => one.field).filter(Boolean))];

/** @param {string} text */
const escape = (text) => text.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&");

/** An expression for a text: in any case where it has no capital. @param {string} text */
function literal(text) {
  if (/\p{Lu}/u.test(text)) return escape(text);
  return [...text].map((char) => {
    const upper = char.toUpperCase();
    return upper !== char && upper.length === 1 ? `[${char}${upper}]` : escape(char);
  }).join("");
}

/**
 * One expression for all that can be marked in a line, or `null`.
 * @param {string} query @returns {RegExp | null}
 */
export function marks(query) {
  const sources = [];
  for (const { not, field, value, kind } of terms(query)) {
    // What is asked of the fields that rows show as their line is marked there.
    if (not || (field && !["_line", "message", "msg", "log", "body"].includes(field)) || !value) continue;
    if (kind === "regex") {
      try {
        new RegExp(value, "gm");
        sources.push(value);
      } catch {
        // The node's expressions know things that this language's do not; such a one is just not marked.
      }
      continue;
    }
    const [head, tail] = kind === "word" ? [value.startsWith("*"), value.endsWith("*")] : [false, false];
    const inner = kind === "word" ? value.replace(/^\*+|\*+$/g, "").replace(/\\(.)/g, "$1") : value;
    if (!inner) continue;
    const body = kind === "word" ? inner.split("*").map(literal).join("\\w*") : literal(inner);
    sources.push(`${/^\w/.test(inner) && !head ? "(?<!\\w)" : ""}${body}${/\w$/.test(inner) && !tail ? "(?!\\w)" : ""}`);
  }
  return sources.length ? new RegExp(sources.join("|"), "gm") : null;
}

/** The place in a text that a byte offset of its UTF-8 form means. @param {string} text @param {number} bytes */
export function place(text, bytes) {
  let at = 0;
  for (const char of text) {
    if (bytes <= 0) break;
    bytes -= new TextEncoder().encode(char).length;
    at += char.length;
  }
  return at;
}

/** How many letters differ between two names. @param {string} a @param {string} b */
export function distance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length];
}
