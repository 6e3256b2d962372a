// @ts-check
/**
 * The text of a line as nodes: colours that the line asks for (ANSI) become classes of ours, control characters become
 * visible escapes, matches are marked.
 */
import { el } from "./dom.js";

/** @typedef {{text: string, cls: string}} Run */

const SGR = /\x1b\[([\d;]*)m|\x1b\[[\d;?]*[A-Za-ln-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)/g;
// What is not seen or turns what is seen around: control characters, direction marks, zero width, line separators.
const HIDDEN = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|\ufffd/g;
const BASE = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

/** The line in runs of one look. @param {string} line @returns {Run[]} */
export function runs(line) {
  if (!line.includes("\x1b")) return [{ text: line, cls: "" }];
  const out = [];
  const look = { fg: "", bold: false, dim: false, under: false };
  let at = 0;
  for (const match of line.matchAll(SGR)) {
    if (match.index > at) out.push({ text: line.slice(at, match.index), cls: cls(look) });
    at = match.index + match[0].length;
    if (match[1] !== undefined) apply(look, match[1]);
  }
  if (at < line.length) out.push({ text: line.slice(at), cls: cls(look) });
  return out;
}

/** @param {{fg: string, bold: boolean, dim: boolean, under: boolean}} look */
const cls = (look) => [look.fg && `a-${look.fg}`, look.bold && "a-bold", look.dim && "a-dim", look.under && "a-under"].filter(Boolean).join(" ");

/** @param {{fg: string, bold: boolean, dim: boolean, under: boolean}} look @param {string} codes */
function apply(look, codes) {
  const list = codes.split(";").map(Number);
  for (let at = 0; at < list.length; at++) {
    const code = list[at];
    if (code === 0) Object.assign(look, { fg: "", bold: false, dim: false, under: false });
    else if (code === 1) look.bold = true;
    else if (code === 2) look.dim = true;
    else if (code === 4) look.under = true;
    else if (code === 22) look.bold = look.dim = false;
    else if (code === 24) look.under = false;
    else if (code >= 30 && code <= 37) look.fg = BASE[code - 30];
    else if (code >= 90 && code <= 97) look.fg = BASE[code - 90];
    else if (code === 39) look.fg = "";
    else if (code === 38 || code === 48) {
      // 256 colours and true colour: only the first sixteen have a like in our palette.
      const index = list[at + 1] === 5 ? list[at + 2] : -1;
      if (code === 38) look.fg = index >= 0 && index < 16 ? BASE[index % 8] : "";
      at += list[at + 1] === 5 ? 2 : 4;
    }
  }
}

/** The text as it is read, without what only asks for colour. @param {string} line */
export const plain = (line) => (line.includes("\x1b") ? line.replace(SGR, "") : line);

/** @param {string} char */
function escaped(char) {
  const known = /** @type {Record<string, string>} */ ({ "\n": "⏎", "\r": "\\r", "\x1b": "\\e", "\x07": "\\a", "\b": "\\b", "\f": "\\f", "\v": "\\v", "\0": "\\0", "\ufffd": "�" });
  const code = /** @type {number} */ (char.codePointAt(0));
  return known[char] ?? (code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`);
}

/** Text with what cannot be seen made visible. @param {Node & ParentNode} into @param {string} text @param {boolean} oneLine */
function visible(into, text, oneLine) {
  let at = 0;
  const hidden = oneLine ? new RegExp(`${HIDDEN.source}|\\n`, "g") : HIDDEN;
  for (const match of text.matchAll(hidden)) {
    if (match.index > at) into.append(text.slice(at, match.index));
    into.append(el("i", { class: "esc" }, escaped(match[0])));
    at = match.index + match[0].length;
  }
  if (at < text.length) into.append(at ? text.slice(at) : text);
}

/** More of a line than a row can show is not looked at for it; an opened line ends where a browser would begin to suffer. */
const LONGEST = 4000;
const LONGEST_OPEN = 200_000;
/** What is cut off to the right of a row is not made at all, but for this many letters more than fit. */
const MORE = 40;

/**
 * The line as nodes.
 * @param {string} line
 * @param {RegExp | null} marks
 * @param {{oneLine?: boolean, room?: number}} [how] `room`: letters that fit; where the first match stands further on,
 *   the text begins shortly before it.
 */
export function nodes(line, marks, { oneLine = false, room = 0 } = {}) {
  const out = document.createDocumentFragment();
  const most = oneLine ? LONGEST : LONGEST_OPEN;
  const cut = line.length > most;
  const parts = runs(cut ? line.slice(0, most) : line);
  const text = parts.length === 1 ? parts[0].text : parts.map((run) => run.text).join("");
  /** @type {[number, number][]} */
  const spans = [];
  if (marks) for (const match of text.matchAll(marks)) if (match[0] && spans.length < 200) spans.push([match.index, match.index + match[0].length]);
  let from = 0;
  if (room && spans.length && spans[0][1] > room) {
    from = Math.max(0, spans[0][0] - Math.floor(room / 3));
    out.append(el("i", { class: "esc", title: "The line begins before this" }, "…"));
  }
  const last = room ? from + room + MORE : Infinity;
  let at = 0;
  let next = 0;
  for (const run of parts) {
    const end = Math.min(last, at + run.text.length);
    const target = run.cls ? el("span", { class: run.cls }) : out;
    let here = Math.max(at, from);
    while (here < end) {
      while (next < spans.length && spans[next][1] <= here) next++;
      const span = spans[next];
      const inside = span && span[0] <= here;
      const stop = Math.min(end, span ? (inside ? span[1] : span[0]) : end);
      const piece = run.text.slice(here - at, stop - at);
      if (inside) {
        const mark = el("mark");
        visible(mark, piece, oneLine);
        target.append(mark);
      } else visible(target, piece, oneLine);
      here = stop;
    }
    if (target !== out && target.hasChildNodes()) out.append(target);
    at += run.text.length;
  }
  if (cut) out.append(el("i", { class: "esc" }, "…"));
  return out;
}
