// @ts-check
/**
 * Keys: one list, from which both the handling and the help are made.
 */
import { el } from "./dom.js";

/** @typedef {{keys: string[], shown: string, help: string, act: () => void}} Key */

/** Whether the keys of a key press belong to a field in which one types. @param {EventTarget | null} target */
const types = (target) => target instanceof HTMLElement && (target.isContentEditable || (target instanceof HTMLInputElement && target.type !== "button") || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement);

/** @param {Key[]} keys @param {() => void} escape */
export function listen(keys, escape) {
  const byKey = new Map(keys.flatMap((key) => key.keys.map((name) => [name, key])));
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (document.querySelector("dialog[open], [popover]:popover-open")) return;
    if (event.key === "Escape") return escape();
    if (types(event.target)) return;
    const onButton = event.target instanceof HTMLElement && event.target.closest("button, a, summary");
    if (onButton && (event.key === "Enter" || event.key === " ")) return;
    // Elsewhere than on the lines these keys scroll what has the focus.
    const elsewhere = event.target instanceof HTMLElement && event.target.closest("#fields, #table");
    if (elsewhere && /^(Arrow|Page|Home|End| )/.test(event.key)) return;
    const key = byKey.get(event.key);
    if (!key) return;
    event.preventDefault();
    key.act();
  });
}

/** Shows what keys there are. @param {Key[]} keys */
export function help(keys) {
  const close = el("button", { type: "button", class: "primary", onclick: () => dialog.close() }, "Close");
  const dialog = el("dialog", { class: "help", "aria-label": "Keys", onclose: () => dialog.remove() },
    el("h2", {}, "Keys"),
    el("dl", {}, ...keys.filter((key) => key.help).flatMap((key) => [
      el("dt", {}, ...key.shown.split(" ").map((one) => el("kbd", {}, one))),
      el("dd", {}, key.help),
    ]), el("dt", {}, el("kbd", {}, "esc")), el("dd", {}, "one step back")),
    el("h2", {}, "Search"),
    el("dl", { class: "syntax" }, ...SYNTAX.flatMap(([example, meaning]) => [el("dt", {}, el("code", {}, example)), el("dd", {}, meaning)])),
    el("p", { class: "foot" }, close),
  );
  document.body.append(dialog);
  dialog.showModal();
}

/** @type {[string, string][]} */
const SYNTAX = [
  ["timeout", "the word, in any case; with a capital letter just so"],
  ['"connection reset"', "the words in a row"],
  ["service:api", "the field has the word"],
  ["service:=api", "the field is just this"],
  ["-level:debug", "without"],
  ["status:>=500", "as a number"],
  ["path:*.png   *part*", "patterns"],
  ["path:/^\\/v2\\//", "regular expression"],
  ["a OR (b NOT c)", "either; a blank means and"],
  ["field:*", "has the field"],
  ["… | stats count() by (service, 5m)", "pipes"],
];
