// @ts-check
/**
 * Making elements. Text only ever becomes text nodes, so nothing that stands in a log line is read as markup.
 */

/** @typedef {Node | string | number | null | undefined | false} Kid */

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, any>} [props] `class`, `data-*`, `aria-*`, `role` become attributes, `on*` listeners, the rest properties.
 * @param {...Kid} kids
 * @returns {HTMLElementTagNameMap[K]}
 */
export function el(tag, props = {}, ...kids) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class" || name === "role" || name === "for" || name.includes("-")) node.setAttribute(name, String(value));
    else /** @type {any} */ (node)[name] = value;
  }
  fill(node, kids);
  return node;
}

/**
 * @param {string} tag
 * @param {Record<string, string | number>} [attributes]
 * @param {...Kid} kids
 */
export function svg(tag, attributes = {}, ...kids) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  fill(node, kids);
  return node;
}

/** @param {Element} node @param {Kid[]} kids */
function fill(node, kids) {
  for (const kid of kids) {
    if (kid !== null && kid !== undefined && kid !== false) node.append(kid instanceof Node ? kid : String(kid));
  }
}

/** Replaces what is in a node. @param {Element} node @param {...Kid} kids */
export function put(node, ...kids) {
  node.replaceChildren();
  fill(node, kids);
}

/** An element of the page by its id. @param {string} name @returns {HTMLElement} */
export function id(name) {
  const node = document.getElementById(name);
  if (!node) throw new Error(`no element ${name}`);
  return node;
}

/** Copies text; gives whether it went. @param {string} text */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without a secure context (a node reached by its name over plain HTTP) there is no clipboard but this one.
    const area = el("textarea", { value: text, class: "unseen" });
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

/**
 * A box that opens below a button and closes on Escape or a click elsewhere; focus goes back to the button.
 * @param {HTMLElement} anchor @param {HTMLElement} content @param {string} label @param {string} [role]
 */
export function popup(anchor, content, label, role = "dialog") {
  const box = el("div", { class: "popup", role, "aria-label": label, popover: "auto" }, content);
  document.body.append(box);
  box.addEventListener("toggle", (event) => {
    if (/** @type {ToggleEvent} */ (event).newState === "closed") {
      const inside = box.contains(document.activeElement) || document.activeElement === document.body;
      box.remove();
      anchor.setAttribute("aria-expanded", "false");
      if (inside) anchor.focus();
    }
  });
  anchor.setAttribute("aria-expanded", "true");
  box.showPopover();
  const at = anchor.getBoundingClientRect();
  const left = Math.max(8, Math.min(at.left, innerWidth - box.offsetWidth - 8));
  box.style.left = `${left}px`;
  box.style.top = `${at.bottom + 4}px`;
  const first = box.querySelector("[autofocus], button, input");
  if (first instanceof HTMLElement) first.focus();
  return box;
}
