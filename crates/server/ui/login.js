// @ts-check
/**
 * The form to sign in: by name and password, or by a token. It leads back to where somebody wanted to go.
 */
import { Refusal, post } from "./api.js";
import { el, id, put } from "./dom.js";

/** Where to go on: a path of this node, never another site. */
function wanted() {
  const to = new URLSearchParams(location.search).get("to") ?? "/";
  const address = new URL(to, location.origin);
  return address.origin === location.origin && to.startsWith("/") ? address.pathname + address.search + location.hash : "/";
}

/** @param {SubmitEvent} event */
async function sign(event) {
  event.preventDefault();
  const form = /** @type {HTMLFormElement} */ (event.target);
  const fields = [...new FormData(form)].map(([name, value]) => [name, String(value)]);
  const button = /** @type {HTMLButtonElement} */ (form.querySelector("button"));
  const box = id("error");
  box.hidden = true;
  button.disabled = true;
  try {
    await post("login", Object.fromEntries(fields.filter(([name, value]) => name === "password" || value)));
    // One that was used before would go over the session.
    sessionStorage.removeItem("sawlog-token");
    location.replace(wanted());
  } catch (error) {
    box.hidden = false;
    if (error instanceof Refusal) put(box, error.message, " ", el("span", { class: "remedy" }, error.remedy));
    else put(box, error instanceof Error ? error.message : String(error));
    button.disabled = false;
    const last = /** @type {HTMLInputElement | null} */ (form.querySelector("input[type=password]"));
    last?.select();
  }
}

for (const name of ["person", "bearer"]) {
  id(name).addEventListener("submit", (event) => void sign(/** @type {SubmitEvent} */ (event)));
}
