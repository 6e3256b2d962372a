// @ts-check
/**
 * What the page shows, as the address holds it. Going somewhere is a new entry of the history, so that Back undoes it;
 * what only changes the look replaces the entry.
 */

/**
 * @typedef {object} State
 * @property {string} q The query.
 * @property {string} from First time: relative, RFC 3339, or empty for open.
 * @property {string} to End: RFC 3339, or empty for now.
 * @property {string[]} cols Fields shown as columns.
 * @property {string} at Address of the opened row.
 * @property {boolean} live
 * @property {boolean} wrap
 * @property {boolean} utc
 * @property {boolean} roomy
 * @property {boolean} bare Without the fields.
 * @property {boolean} parts With what passes through the node.
 */

const FLAGS = /** @type {const} */ (["live", "wrap", "utc", "roomy", "bare", "parts"]);
const TEXTS = /** @type {const} */ (["q", "from", "to", "at"]);

/** @returns {State} */
export function read() {
  const params = new URLSearchParams(location.search);
  const text = (/** @type {string} */ name) => params.get(name) ?? "";
  const flag = (/** @type {string} */ name) => params.get(name) === "1";
  return {
    q: text("q"), from: text("from"), to: text("to"), at: text("at"),
    cols: text("cols").split(",").filter(Boolean),
    live: flag("live"), wrap: flag("wrap"), utc: flag("utc"), roomy: flag("roomy"), bare: flag("bare"), parts: flag("parts"),
  };
}

/** The address of a state. @param {State} state */
export function address(state) {
  const params = new URLSearchParams();
  for (const name of TEXTS) if (state[name]) params.set(name, state[name]);
  if (state.cols.length) params.set("cols", state.cols.join(","));
  for (const name of FLAGS) if (state[name]) params.set(name, "1");
  const text = params.toString();
  return text ? `?${text}` : location.pathname;
}

/** Whether the address says nothing yet. */
export const isFresh = () => location.search === "";

/** @param {State} state @param {boolean} replace */
export function write(state, replace) {
  const to = address(state);
  if (to === (location.search || location.pathname)) return;
  if (replace) history.replaceState(history.state, "", to);
  else history.pushState({ steps: steps() + 1 }, "", to);
}

/** How many steps there are to go back before the page is left. */
export const steps = () => Number(history.state?.steps ?? 0);
