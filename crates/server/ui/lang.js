// @ts-check
/**
 * The query as text: its terms, adding and taking away terms as a click does, and what of it can be marked in a line.
 * The meaning is the node's; this knows just enough to write terms and to see words.
 */

/** @typedef {{start: number, end: number, not: boolean, field: string, value: string, quoted: boolean, regex: boolean}} Term */

const TERM = /(-)?(?:((?:[^\s:"()|\\]|\\.)+):)?(?:"((?:[^"\\]|\\.)*)"|\/((?:[^/\\]|\\.)+)\/|((?:in)?\([^)]*\)|[^\s"()|]+))/gy;

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

/** The terms of the search. @param {string} query @returns {Term[]} */
export function terms(query) {
  const end = searchEnd(query);
  const found = [];
  let at = 0;
  while (at < end) {
    TERM.lastIndex = at;
    const match = TERM.exec(query);
    if (!match || match.index + match[0].length > end) {
      at++;
      continue;
    }
    const [text, minus, field, phrase, regex, bare] = match;
    const value = phrase !== undefined ? phrase.replace(/\\(.)/g, "$1") : (regex ?? bare);
    at += text.length;
    if (!field && !minus && /^(AND|OR|NOT)$/.test(bare ?? "")) continue;
    found.push({ start: at - text.length, end: at, not: !!minus, field: field ?? "", value, quoted: phrase !== undefined, regex: regex !== undefined });
  }
  return found;
}

/** Text that stands for just itself in a query. @param {string} value */
export function quote(value) {
  return /^[\p{L}\p{N}_][\p{L}\p{N}_.-]*$/u.test(value) && !/^(AND|OR|NOT)$/.test(value) ? value : `"${value.replace(/[\\"]/g, "\\$&")}"`;
}

/** @param {string} field @param {string} value @param {boolean} not */
export const term = (field, value, not) => `${not ? "-" : ""}${field}:${quote(value)}`;

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

/**
 * Keeps rows that have the value, or leaves them out. A second kept value of a field widens the first, since no row has
 * both; the contrary of a term takes that term away.
 * @param {string} query @param {string} field @param {string} value @param {boolean} not
 */
export function narrow(query, field, value, not) {
  const same = terms(query).filter((one) => one.field === field);
  const list = (/** @type {Term} */ one) => /^in\((.*)\)$/.exec(one.value)?.[1].split(",").map((item) => item.trim()) ?? null;
  const there = same.find((one) => one.value === value && !one.regex);
  if (there && there.not === not) return query;
  if (there) query = splice(query, there.start, there.end, "");
  if (!not) {
    const kept = terms(query).find((one) => one.field === field && !one.not && !one.regex && !/[*<>=[/]/.test(one.value));
    if (kept) {
      const items = list(kept) ?? [quote(kept.value)];
      if (items.includes(quote(value))) return query;
      return splice(query, kept.start, kept.end, `${field}:in(${[...items, quote(value)].join(", ")})`);
    }
  }
  return add(query, term(field, value, not));
}

/** Whether the search keeps (1) or leaves out (-1) just this value. @param {string} query @param {string} field @param {string} value */
export function stance(query, field, value) {
  for (const one of terms(query)) {
    if (one.field !== field) continue;
    const items = /^in\((.*)\)$/.exec(one.value)?.[1].split(",").map((item) => item.trim()) ?? [quote(one.value)];
    if (items.includes(quote(value))) return one.not ? -1 : 1;
  }
  return 0;
}

/** The query without the term that keeps or leaves out the value. @param {string} query @param {string} field @param {string} value */
export function release(query, field, value) {
  for (const one of terms(query)) {
    if (one.field !== field) continue;
    const items = /^in\((.*)\)$/.exec(one.value)?.[1].split(",").map((item) => item.trim());
    if (items?.includes(quote(value))) {
      const left = items.filter((item) => item !== quote(value));
      return splice(query, one.start, one.end, left.length > 1 ? `${field}:in(${left.join(", ")})` : `${field}:${left[0]}`);
    }
    if (one.value === value && !one.regex) return splice(query, one.start, one.end, "");
  }
  return query;
}

/** Names of fields that the search tests. @param {string} query */
export const fieldsOf = (query) => [...new Set(terms(query).map((one) => one.field).filter(Boolean))];

/** @param {string} text */
const escape = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/**
 * One expression for all that can be marked in a line, or `null`. Smart case as in the search: a term in lower case
 * matches any case, so terms are tried one by one.
 * @param {string} query @returns {RegExp | null}
 */
export function marks(query) {
  const sources = [];
  let fold = true;
  for (const { not, field, value, quoted, regex } of terms(query)) {
    if (not || (field && field !== "_line") || !value) continue;
    if (/\p{Lu}/u.test(value)) fold = false;
    if (regex) {
      try {
        new RegExp(value);
        sources.push(value);
      } catch {
        // The node's expressions know things that this language's do not; such a one is just not marked.
      }
      continue;
    }
    const start = !quoted && value.startsWith("*");
    const end = !quoted && value.endsWith("*");
    const inner = quoted ? value : value.replace(/^\*+|\*+$/g, "");
    if (!inner) continue;
    const body = quoted ? escape(inner) : inner.split("*").map(escape).join("\\S*?");
    const word = /^\w/.test(inner) && !start ? "(?<![A-Za-z0-9_])" : "";
    sources.push(`${word}${body}${/\w$/.test(inner) && !end ? "(?![A-Za-z0-9_])" : ""}`);
  }
  if (!sources.length) return null;
  try {
    return new RegExp(sources.join("|"), fold ? "giu" : "gu");
  } catch {
    return null;
  }
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
