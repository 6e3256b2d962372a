// @ts-check
/**
 * A record as a row shows it: its level, where it is from, what of it reads as the line.
 */
import { took } from "./format.js";
import { nanos } from "./time.js";

/** @typedef {Record<string, any>} Rec */
/** @typedef {{json: string, rec: Rec | null}} Item A record as it came, read when it is first shown. */
/** @typedef {"error" | "warn" | "info" | "debug" | ""} Level */

const LEVELS = ["level", "severity", "lvl", "loglevel", "log_level", "log.level", "levelname", "level_name", "priority"];
const SOURCES = ["service", "service.name", "app", "_tag", "program", "container_name", "kubernetes.pod_name", "_host", "host"];
const LINES = ["message", "msg", "log", "body"];

/** Fields that a line shows anyhow, or that say nothing to people. */
const SHOWN = new Set([...LEVELS, ...LINES, "time", "timestamp", "@timestamp", "ts"]);

/**
 * Reads the JSON of a row. A number that JavaScript cannot hold stays the text that it was.
 * @param {Item} item @returns {Rec}
 */
export function rec(item) {
  if (item.rec) return item.rec;
  try {
    item.rec = /\d{16}/.test(item.json) ? JSON.parse(item.json, exactly) : JSON.parse(item.json);
  } catch {
    item.rec = { _line: item.json };
  }
  return /** @type {Rec} */ (item.rec);
}

/** @this {any} @param {string} _name @param {any} value @param {{source?: string}} [context] */
function exactly(_name, value, context) {
  const source = context?.source;
  return typeof value === "number" && source && /^-?\d+$/.test(source) && String(value) !== source ? source : value;
}

/** What tells a row from all others. @param {Rec} record */
export const address = (record) => `${record._source}:${record._epoch}:${record._offset}`;

/** @param {Rec} record */
export const time = (record) => nanos(String(record._time ?? "")) ?? 0n;

/** Whether a record is an application event, which has a tree. @param {Rec} record */
export const isEvent = (record) => typeof record.type === "string" && record.id != null && Number.isFinite(record.start) && Number.isFinite(record.end);

/** The class of a level, however it is written. @param {string} text @returns {Level} */
export function levelClass(text) {
  const word = text.trim().toLowerCase();
  if (/^(e|err|error|f|fatal|c|crit|critical|a|alert|emerg|emergency|panic|severe|failure|[0-3])$/.test(word)) return "error";
  if (/^(w|warn|warning|4)$/.test(word)) return "warn";
  if (/^(d|debug|t|trace|fine|finer|finest|v|verbose|7)$/.test(word)) return "debug";
  return /^(i|info|information|informational|n|notice|5|6)$/.test(word) ? "info" : "";
}

const SHORT = { error: "ERROR", warn: "WARN", info: "INFO", debug: "DEBUG", "": "" };

/** The level of a record: how it is called, and its class. @param {Rec} record @returns {{text: string, cls: Level}} */
export function level(record) {
  const event = isEvent(record);
  for (const name of LEVELS) {
    const value = record[name] ?? (event ? record[`body.${name}`] : undefined);
    if (typeof value !== "string" && typeof value !== "number") continue;
    const cls = levelClass(String(value));
    const text = String(value).toUpperCase();
    return { text: cls && (text.length < 2 || text.length > 5) ? SHORT[cls] : text.slice(0, 5), cls };
  }
  return { text: "", cls: "" };
}

/** The field that says in one word where a record is from, if it has one. @param {Rec} record */
const sourceField = (record) => SOURCES.find((name) => record[name] !== undefined && record[name] !== "");

/** Fields that tell what belongs together: those of shortcuts, and such as are named so. @type {Set<string>} */
export const ids = new Set();
const ID = /(^|[._-])(id|uuid|trace|request|session|correlation|transaction)$|[a-z](Id|ID|Uuid|UUID)$/;

/** @param {Rec} record */
export const joins = (record) => Object.entries(record).filter(([name, value]) => (ids.has(name) || ID.test(name)) && typeof value !== "object" && /^\S{1,128}$/.test(value)).slice(0, 5);

/** Where a record is from, in one word. @param {Rec} record */
export function source(record) {
  const field = sourceField(record);
  if (field) return String(record[field]);
  const path = record._path;
  if (typeof path === "string") return path.slice(path.lastIndexOf("/") + 1);
  return String(record._source ?? "").slice(-8);
}

/** The value of a field as text. @param {any} value */
export function text(value) {
  if (value === undefined || value === null) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Fields of the record other than sawlog's own, flat, as far as the line does not show them. @param {Rec} record */
export function rest(record) {
  const from = sourceField(record);
  return Object.entries(record).filter(([name]) => !name.startsWith("_") && !SHOWN.has(name) && name !== from);
}

/**
 * What reads as the line: the message of an event that has one, and the fields beside it; of an application event what it
 * is called and how long it took; else the line as it is.
 * @param {Rec} record @returns {{main: string, more: [string, any][]}}
 */
export function reads(record) {
  const line = String(record._line ?? "");
  if (isEvent(record)) {
    const said = Object.entries(record).filter(([name]) => name.startsWith("body.") && name !== "body.msg");
    const main = `${record.type} ${record["body.msg"] ?? took(record.end - record.start)}`;
    return { main, more: said.map(([name, value]) => [name.slice(5), value]) };
  }
  if (line.startsWith("{")) {
    for (const name of LINES) {
      const value = record[name];
      if (typeof value === "string" && value) return { main: value, more: rest(record) };
    }
  }
  return { main: line, more: [] };
}
