// @ts-check
/**
 * What stands where there are no lines: how to send some, or what was searched and where something like it is.
 */
import { copy, el } from "./dom.js";
import { distance, fieldsOf } from "./lang.js";

/** @param {string} command @param {string} what @param {(words: string) => void} say */
function step(command, what, say) {
  return el("li", {},
    el("p", {}, what),
    el("div", { class: "command" },
      el("code", {}, command),
      el("button", { type: "button", class: "act", title: "Copy", "aria-label": `Copy: ${what}`, onclick: async () => say((await copy(command)) ? "Command copied." : "The browser did not let it be copied.") }, "copy"),
    ),
  );
}

/**
 * The three commands that bring the first lines.
 * @param {{parts: {role: string, name: string}[]}} status @param {(words: string) => void} say
 */
export function empty(status, say) {
  const forward = status.parts.find((part) => part.role === "input" && part.name.startsWith("forward"))?.name.match(/:(\d+)\b/)?.[1] ?? "24224";
  return el("div", { class: "teach" },
    el("h2", {}, "No lines yet"),
    el("p", {}, "This node is up and waiting. Any of these sends the first line; the page turns into the view by itself when it arrives."),
    el("ol", { role: "list" },
      step(`curl ${location.origin}/api/v1/ingest -d '{"level":"info","message":"hello"}'`, "Send one event over HTTP", say),
      step("sawlog run --tail '/var/log/**/*.log'", "Start the node so that it follows the files of its machine", say),
      step(`sawlog-agent run --tail '/var/log/**/*.log' --to ${location.hostname}:${forward}`, "Follow the files of another machine; Fluentd and Fluent Bit forward to the same port", say),
    ),
    el("p", { class: "none" }, el("i", { class: "pulse", "aria-hidden": "true" }), "Listening"),
  );
}

/** @typedef {{label: string, title?: string, act: () => void}} Offer */

/**
 * Nothing found.
 * @param {string} query @param {string} range How the range reads. @param {Offer[]} offers
 */
export function noMatch(query, range, offers) {
  return el("div", { class: "teach" },
    el("h2", {}, "No line matches"),
    el("p", {}, query ? el("code", {}, query) : "There are no lines", ` · ${range}`),
    offers.length > 0 && el("p", { class: "offers" }, ...offers.map(({ label, title, act }) => el("button", { type: "button", title, onclick: act }, label))),
  );
}

/**
 * Fields that the query names and that do not exist, each with one of a similar name.
 * @param {string} query @param {string[]} names @returns {[string, string][]}
 */
export function similar(query, names) {
  const pairs = /** @type {[string, string][]} */ ([]);
  for (const asked of fieldsOf(query)) {
    if (asked.startsWith("_") || names.includes(asked)) continue;
    const last = (/** @type {string} */ name) => name.slice(name.lastIndexOf(".") + 1).toLowerCase();
    const near = names
      .map((name) => /** @type {[string, number]} */ ([name, last(name) === last(asked) ? 0 : distance(name.toLowerCase(), asked.toLowerCase())]))
      .filter(([name, far]) => far <= Math.max(1, Math.floor(Math.max(name.length, asked.length) / 3)))
      .sort((a, b) => a[1] - b[1])[0];
    if (near) pairs.push([asked, near[0]]);
  }
  return pairs;
}
