// @ts-check
/**
 * The page of tenants: who shares this node, with which tokens, what each did and may. Everything on it is also in the API
 * and on the command line.
 */
import { Refusal, also, json, post, useToken } from "./api.js";
import { copy, el, id, put } from "./dom.js";
import { bytes, count } from "./format.js";

/** @typedef {{name: string, title: string, tokens: number}} Tenant */
/** @typedef {{day: string, records: number, bytes: number, limited: number, queries: number, query_millis: number}} Day */
/** @typedef {{name: string, stored_bytes: number, limits: Record<string, number>, days: Day[]}} Usage */
/** @typedef {{name: string, roles: Record<string, string>}} User */
/** @typedef {{id: string, name: string, role: string, created: string, expires: string | null, previous_until: string | null}} Token */

const LIMITS = /** @type {const} */ ({
  bytes_per_second: "Bytes a second",
  records_per_second: "Records a second",
  stored_bytes: "Bytes on disk",
  queries: "Questions at once",
  query_seconds: "Seconds a question",
  query_memory: "Bytes of memory a question",
  sources: "Sources",
  fields: "Names of fields",
  keep_seconds: "Kept for seconds",
  keep_bytes: "Kept bytes",
});

/** Names the tenant for which an administrator of the node asks. */
const TENANT = "X-Sawlog-Tenant";

/** Who looks at the page. @type {{tenant: string, role: string, asks: boolean, user: string | null}} */
let session = { tenant: "default", role: "admin", asks: false, user: null };
/** Whose tokens are shown. */
let chosen = "";

/** Shows what went wrong, or that nothing did. @param {unknown} [error] */
function failed(error) {
  const box = id("error");
  box.hidden = !error;
  if (error instanceof Refusal) put(box, error.message, " ", el("span", { class: "remedy" }, error.remedy));
  else if (error) put(box, error instanceof Error ? error.message : String(error));
}

/**
 * Does something that changes the node, and shows everything anew; then what it gave, where that is a function: who reads a
 * new token may begin to type, and no form is made anew under their hands.
 * @param {() => Promise<unknown>} work
 */
async function doing(work) {
  let then;
  try {
    then = await work();
    failed();
    await show();
  } catch (error) {
    failed(error);
  }
  if (typeof then === "function") then();
}

/** @param {SubmitEvent} event @returns {Record<string, string>} */
function given(event) {
  event.preventDefault();
  const form = /** @type {HTMLFormElement} */ (event.target);
  return Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value).trim()]));
}

/** @param {string} text @param {HTMLElement} input */
const labelled = (text, input) => el("label", {}, text, input);

/** Asks for a token. */
function sign() {
  const box = id("sign");
  box.hidden = false;
  id("tenants").replaceChildren();
  for (const name of ["tokens", "users"]) id(name).replaceChildren();
  const token = el("input", { name: "token", type: "password", required: true, autocomplete: "off" });
  put(box, el("p", {}, "This node asks who you are. An administrator's token shows this page, or ",
      el("a", { href: "/login?to=/admin" }, "name and password"), "."),
    el("form", { onsubmit: (/** @type {SubmitEvent} */ event) => {
      useToken(given(event).token ?? "");
      void doing(async () => { box.hidden = true; });
    } }, labelled("Token", token), el("button", {}, "Sign in")));
  token.focus();
}

/** A token that was just made: the one time that it is seen. @param {string} token @param {string} words */
function reveal(token, words) {
  const box = id("shown");
  box.hidden = false;
  put(box, el("p", {}, words, " It is not shown again."),
    el("p", {}, el("code", {}, token), " ", el("button", { onclick: () => void copy(token) }, "Copy"), " ",
      el("button", { onclick: () => { box.hidden = true; put(box); } }, "Done")));
}

/**
 * Signs in with the token that made a node ask for tokens, if there is one, and shows it.
 * @param {{first_token?: string}} made @param {string} words
 */
function first({ first_token: token }, words) {
  if (!token) return undefined;
  useToken(token);
  return () => reveal(token, words);
}

/** @param {Usage | undefined} usage */
function limitsForm(usage) {
  const inputs = Object.entries(LIMITS).map(([name, label]) => labelled(label, el("input", {
    name, type: "number", min: "0", step: "1", size: 10, placeholder: "none", value: String(usage?.limits[name] ?? ""),
  })));
  return el("form", { onsubmit: (/** @type {SubmitEvent} */ event) => {
    const limits = Object.fromEntries(Object.entries(given(event)).map(([name, value]) => [name, value || "0"]));
    void doing(() => post("tenants/limit", { name: chosen, ...limits }));
  } }, ...inputs, el("button", {}, "Set limits"));
}

/** @param {Tenant[]} tenants @param {Usage[]} usages @param {boolean} owns */
function showTenants(tenants, usages, owns) {
  const cell = (/** @type {string} */ text) => el("td", { class: "number" }, text);
  const rows = tenants.map((tenant) => {
    const usage = usages.find((one) => one.name === tenant.name);
    const today = usage?.days[0];
    const over = Object.entries(usage?.limits ?? {}).map(([name, most]) => `${LIMITS[/** @type {keyof typeof LIMITS} */ (name)]}: ${count(most)}`);
    return el("tr", { class: tenant.name === chosen ? "chosen" : undefined },
      el("td", {}, el("button", { class: "link", onclick: () => { chosen = tenant.name; void doing(async () => {}); } }, tenant.name),
        tenant.title ? el("div", { class: "dim" }, tenant.title) : null),
      cell(count(tenant.tokens)), cell(bytes(usage?.stored_bytes ?? 0)), cell(count(today?.records ?? 0)),
      cell(bytes(today?.bytes ?? 0)), cell(count(today?.limited ?? 0)), cell(count(today?.queries ?? 0)),
      el("td", { class: "dim" }, over.join(", ") || "none"));
  });
  const head = ["Tenant", "Tokens", "On disk", "Records today", "Bytes today", "Limited today", "Questions today", "Limits"];
  const add = el("form", { onsubmit: (/** @type {SubmitEvent} */ event) => {
    const { name, title } = given(event);
    void doing(async () => {
      const made = await post("tenants/add", { name, title });
      chosen = name ?? "";
      return first(made, "From now on this node asks for tokens. This is its first administrator's.");
    });
  } }, labelled("Name", el("input", { name: "name", required: true, maxLength: 200 })),
  labelled("Title", el("input", { name: "title", maxLength: 200 })), el("button", {}, "Add tenant"));
  put(id("tenants"), el("table", {},
    el("thead", {}, el("tr", {}, ...head.map((text, at) => el("th", { class: at > 0 && at < 7 ? "number" : undefined, scope: "col" }, text)))),
    el("tbody", {}, ...rows)), owns ? add : null);
}

/** @param {Token[]} tokens @param {Usage | undefined} usage @param {boolean} owns */
function showTokens(tokens, usage, owns) {
  const time = (/** @type {string | null} */ text) => (text ? text.slice(0, 16).replace("T", " ") : "");
  const rows = tokens.map((token) => el("tr", {},
    el("td", {}, token.name, el("div", { class: "dim" }, token.id)), el("td", {}, token.role), el("td", {}, time(token.created)),
    el("td", {}, time(token.expires) || "never"), el("td", {}, token.previous_until ? `until ${time(token.previous_until)}` : ""),
    el("td", {},
      el("button", { onclick: () => void doing(async () => {
        const made = await post("tokens/rotate", { id: token.id, keep: "1d" });
        return () => reveal(made.token, `${token.name} has a new token; the one before holds for a day.`);
      }) }, "Rotate"), " ",
      el("button", { onclick: () => void doing(() => post("tokens/remove", { id: token.id })) }, "Remove"))));
  const add = el("form", { onsubmit: (/** @type {SubmitEvent} */ event) => {
    const { name, role: wanted, expires } = given(event);
    void doing(async () => {
      const made = await post("tokens/add", { name, role: wanted, expires });
      return () => reveal(made.token, `The token ${name || wanted} of ${chosen}.`);
    });
  } }, labelled("For", el("input", { name: "name", maxLength: 200 })), labelled("Role", roles()),
  labelled("Expires after", el("input", { name: "expires", placeholder: "never", size: 8 })), el("button", {}, "Make token"));
  const days = usage?.days ?? [];
  put(id("tokens"), el("h3", {}, `Tokens of ${chosen}`),
    tokens.length ? el("table", {}, el("thead", {}, el("tr", {}, ...["For", "Role", "Made", "Expires", "One before", ""].map((text) => el("th", { scope: "col" }, text)))), el("tbody", {}, ...rows))
      : el("p", { class: "dim" }, "None."),
    add, owns ? el("h3", {}, `Limits of ${chosen}`) : null, owns ? limitsForm(usage) : null,
    el("h3", {}, `Days of ${chosen}`),
    el("table", {}, el("thead", {}, el("tr", {}, ...["Day (UTC)", "Records", "Bytes", "Limited", "Questions"].map((text, at) => el("th", { class: at ? "number" : undefined, scope: "col" }, text)))),
      el("tbody", {}, ...days.map((day) => el("tr", {}, el("td", {}, day.day), ...[count(day.records), bytes(day.bytes), count(day.limited), count(day.queries)].map((text) => el("td", { class: "number" }, text)))))));
}

/** The roles that there are, to choose from. */
const roles = () => el("select", { name: "role" }, ...["ingest", "read", "write", "admin"].map((name) => el("option", {}, name)));

/** A password that is new. */
const newPassword = () => el("input", { name: "password", type: "password", required: true, minLength: 8, maxLength: 1024, autocomplete: "new-password" });

/** @param {User[]} users @param {boolean} owns */
function showUsers(users, owns) {
  const ours = users.filter((user) => chosen in user.roles);
  const others = users.filter((user) => !(chosen in user.roles));
  const rows = ours.map((user) => el("tr", {},
    el("td", {}, user.name), el("td", {}, user.roles[chosen]),
    el("td", { class: "dim" }, Object.entries(user.roles).filter(([tenant]) => tenant !== chosen).map(([tenant, role]) => `${role} of ${tenant}`).join(", ")),
    el("td", {}, el("form", { class: "inline", onsubmit: (/** @type {SubmitEvent} */ event) => {
      const { password } = given(event);
      void doing(() => post("users/password", { name: user.name, password }));
    } }, labelled("New password", newPassword()), el("button", {}, "Set"))),
    el("td", {}, el("button", { onclick: () => void doing(() => post("users/remove", { name: user.name })) }, "Remove"))));
  const add = el("form", { onsubmit: (/** @type {SubmitEvent} */ event) => {
    const { name, password, role } = given(event);
    void doing(async () => {
      const made = await post("users/add", { name, password, role });
      return first(made, "From now on this node asks who you are. This is its first administrator's token.");
    });
  } }, labelled("Name", el("input", { name: "name", required: true, maxLength: 200, autocomplete: "off" })),
  labelled("Password", newPassword()), labelled("Role", roles()), el("button", {}, "Add user"));
  const join = el("form", { onsubmit: (/** @type {SubmitEvent} */ event) => {
    const { name, role } = given(event);
    void doing(() => post("users/add", { name, role }));
  } }, labelled("Somebody of another tenant", el("select", { name: "name" }, ...others.map((user) => el("option", {}, user.name)))),
  labelled("Role", roles()), el("button", {}, "Give the role"));
  put(id("users"), el("h3", {}, `Users of ${chosen}`),
    ours.length ? el("table", {}, el("thead", {}, el("tr", {}, ...["Name", "Role", "Elsewhere", "", ""].map((text) => el("th", { scope: "col" }, text)))), el("tbody", {}, ...rows))
      : el("p", { class: "dim" }, "None."),
    add, owns && others.length ? join : null);
}

/** Users of all tenants for who owns the node, else the caller's. @param {boolean} owns */
async function allUsers(owns) {
  const { [TENANT]: named } = also;
  if (owns) delete also[TENANT];
  const asked = json("users");
  if (named) also[TENANT] = named;
  return asked;
}

/** What somebody who signed in by password can do about it. */
function showOwn() {
  const out = /** @type {HTMLButtonElement} */ (id("out"));
  out.hidden = !session.user;
  out.onclick = () => void doing(async () => {
    await post("logout", {});
    location.assign("/login?to=/admin");
  });
}

/** Shows everything as it is now. */
async function show() {
  delete also[TENANT];
  try {
    session = await json("session");
  } catch (error) {
    if (error instanceof Refusal && error.status === 401) return sign();
    throw error;
  }
  id("sign").hidden = true;
  put(id("who"), session.asks ? `${session.user ? `${session.user}, ` : ""}${session.role} of ${session.tenant}` : "no tenants yet: everybody may do everything");
  chosen ||= session.tenant;
  const owns = session.tenant === "default" && session.role === "admin";
  const [{ tenants }, { tenants: usages }] = await Promise.all([json("tenants"), json("usage", { days: 30 })]);
  if (!tenants.some((/** @type {Tenant} */ one) => one.name === chosen)) chosen = session.tenant;
  if (owns && session.asks) also[TENANT] = chosen;
  const [{ tokens }, { users }] = await Promise.all([json("tokens"), allUsers(owns)]);
  showOwn();
  showTenants(tenants, usages, owns);
  showTokens(tokens, usages.find((/** @type {Usage} */ one) => one.name === chosen), owns);
  showUsers(users, owns);
}

void doing(async () => {});
