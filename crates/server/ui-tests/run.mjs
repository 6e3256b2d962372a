// node run.mjs BASE_URL [OUT_DIR]: drives the page of a running node in a real browser. It sends events of its own, so
// any node will do; one that is still empty also shows what it teaches. With OUT_DIR it leaves screenshots there.
import { mkdir } from "node:fs/promises";
import path from "node:path";

import { NASTY, events, lines, request, send } from "./events.mjs";
import { loggers } from "./loggers.mjs";
import { check, equal, finish, launch, skip, step, until } from "./harness.mjs";
import { tenants } from "./tenants.mjs";

const [base, out] = [process.argv[2]?.replace(/\/$/, ""), process.argv[3]];
if (!base) {
  console.error("usage: node run.mjs BASE_URL [OUT_DIR]");
  process.exit(2);
}
if (out) await mkdir(out, { recursive: true });

const MANY = 6000;
const before = await (await fetch(`${base}/api/v1/status`)).json();
const empty = before.store.records === 0;
// A node that has lines already may have those of an earlier run.
const TAG = empty ? "shop" : `shop-${Date.now().toString(36)}`;
const NASTY_TAG = `${TAG}-nasty`;
const MINE = `_tag:=${TAG}`;
const browser = await launch();
const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: "light", timezoneId: "UTC" });
const page = await context.newPage();
const noise = [];
const foreign = [];
page.on("pageerror", (error) => noise.push(error.message));
page.on("console", (message) => message.type() === "error" && !/Failed to load resource/.test(message.text()) && noise.push(message.text()));
page.on("request", (request) => !request.url().startsWith(`${base}/`) && !request.url().startsWith("data:") && foreign.push(request.url()));

const rows = page.locator("#list .row");
const params = () => new URL(page.url()).searchParams;
const stats = async () => Number((await page.locator("#stats b").getAttribute("title", { timeout: 8000 })).replaceAll(",", ""));
/** The number of lines that the page tells. */
async function number(expected, words) {
  equal(await stats(), expected, words);
}
const words = (selector) => page.locator(selector).innerText();

/** Takes a picture in light and in dark. */
async function picture(name) {
  if (!out) return;
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: path.join(out, `${name}-${colorScheme}.png`) });
  }
  await page.emulateMedia({ colorScheme: "light" });
}

/** Writes a query and waits for its answer. */
async function ask(query) {
  await page.fill("#query", query);
  const asked = page.waitForRequest((request) => new URL(request.url()).searchParams.get("query") === query);
  await page.press("#query", "Enter");
  await asked;
  await settled();
}

const running = new Set();
// A page that is left takes its requests with it.
page.on("framenavigated", () => running.clear());
page.on("request", (request) => request.url().includes("/api/v1/") && !request.url().includes("/tail") && running.add(request));
page.on("requestfinished", (request) => running.delete(request));
page.on("requestfailed", (request) => running.delete(request));

/** Waits until no request that belongs to the view is under way, nor begins shortly after. */
async function settled() {
  for (let quiet = 0; quiet < 3; quiet = running.size ? 0 : quiet + 1) {
    await until(() => running.size === 0, "the requests end");
    await page.waitForTimeout(40);
  }
}

/** Opens the page on what the tests sent. */
async function open(query = "", more = "") {
  await page.goto(`${base}/?q=${encodeURIComponent(`${MINE} ${query}`.trim())}&from=1h${more}`);
  await rows.first().waitFor();
  await until(async () => /\d/.test(await words("#stats")), "the numbers come");
}

const sent = events(MANY, Date.now() - 2000);
const count = (test) => sent.filter(test).length;

if (empty) {
  await step("an empty node teaches, and turns into the view when the first line arrives", async () => {
    await page.goto(`${base}/`);
    await page.getByRole("heading", { name: "No lines yet" }).waitFor();
    check((await words(".teach")).includes(new URL(base).port), "the commands bear this node's address");
    await picture("empty");
    await send(base, lines(sent), TAG);
    await rows.first().waitFor();
    await until(async () => (await stats()) > 0, "the numbers come");
    await picture("first");
  });
} else {
  skip("an empty node teaches", "this node has lines already");
  await send(base, lines(sent), TAG);
}
await send(base, NASTY.join("\n") + "\n", NASTY_TAG, "text/plain");

await step("a search shows its rows, its number and its matches", async () => {
  await open();
  await number(MANY, "all events");
  await ask(`${MINE} timeout -level:debug`);
  await number(count((one) => one.message.includes("timeout")), "lines with the word");
  equal((await page.locator("#list mark").first().innerText()).toLowerCase(), "timeout", "the match is marked");
  check((await page.title()).startsWith(`${MINE} timeout`), "the title is the query");
});

await step("a drag on the histogram zooms, Back undoes it, a double click steps out", async () => {
  await open();
  await picture("search");
  const all = await stats();
  const box = await page.locator(".plot").boundingBox();
  const y = box.y + 30;
  await page.mouse.move(box.x + box.width * 0.97, y);
  await until(async () => /line/.test(await words(".tip")), "pointing says time and counts");
  await page.mouse.move(box.x + box.width * 0.98, y);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.99, y, { steps: 4 });
  await page.mouse.move(box.x + box.width - 2, y, { steps: 4 });
  await page.mouse.up();
  await until(async () => params().has("to"), "the address has the time");
  await settled();
  await page.goBack();
  await until(async () => params().get("from") === "1h" && !params().has("to"), "Back undoes it");
  await settled();
  await until(async () => (await stats()) === all, "the number is the old one");
  await page.locator(".plot").dblclick({ position: { x: 40, y: 30 } });
  await until(async () => params().has("to"), "a double click widens");
});

await step("the histogram works with the keyboard", async () => {
  await open();
  await page.locator(".plot").focus();
  await page.keyboard.press("End");
  await page.keyboard.press("Shift+ArrowLeft");
  await until(() => page.locator(".tip").isVisible(), "the marked time is told");
  await page.keyboard.press("Enter");
  await until(async () => params().has("to"), "Enter zooms");
});

await step("a value is kept by a click, left out by Alt, made a column by Shift", async () => {
  await open();
  const value = (name) => page.locator("#fields .keep", { hasText: name }).first();
  await value("checkout").click();
  await until(async () => (await page.inputValue("#query")).includes("service:=checkout"), "the query has the term");
  await settled();
  await number(count((one) => one.service === "checkout"), "kept lines");
  await page.goBack();
  await until(async () => !(await page.inputValue("#query")).includes("service:"), "Back takes it away");
  await settled();
  await value("api").click({ modifiers: ["Alt"] });
  await until(async () => (await page.inputValue("#query")).includes("-service:=api"), "the query leaves it out");
  await settled();
  await number(count((one) => one.service !== "api"), "other lines");
  await value("billing").click({ modifiers: ["Shift"] });
  await until(async () => (await words("#head")).includes("service"), "there is a column");
  equal(params().get("cols"), "service", "the address has the column");
});

await step("a record opens, keeps its place in the address, and narrows", async () => {
  await open("level:error");
  await rows.nth(2).locator(".cells").click();
  await page.locator(".panel").waitFor();
  check((await words(".panel")).includes("trace_id"), "the fields are there");
  const at = params().get("at");
  check(at, "the address has the record");
  await picture("record");
  await page.reload();
  await page.locator(".row.open .panel").waitFor();
  equal(params().get("at"), at, "a reload opens it again");
  const status = await page.locator(".panel tr", { hasText: "status" }).locator(".value").innerText();
  await page.locator(".panel tr", { hasText: "status" }).getByRole("button", { name: /^Keep only/ }).click();
  await until(async () => (await page.inputValue("#query")).includes(`status:=${status}`), "it narrows");
});

await step("the lines around a record are shown with it", async () => {
  await open("level:error");
  await rows.nth(5).locator(".cells").click();
  const at = params().get("at");
  await page.getByRole("button", { name: /around/ }).click();
  await until(async () => (await page.inputValue("#query")).startsWith("_source:"), "the query is the source");
  await page.locator(".row.open").waitFor();
  equal(params().get("at"), at, "the record is still open");
});

await step("keys move, open, help and step back", async () => {
  await open();
  await page.locator("#list").focus();
  for (const key of ["j", "j", "j", "k"]) await page.keyboard.press(key);
  equal(await page.locator(".row.selected").getAttribute("data-index"), "1", "three down, one up");
  await page.keyboard.press("Enter");
  await page.locator(".row.open").waitFor();
  await page.keyboard.press("Escape");
  await until(async () => (await page.locator(".row.open").count()) === 0, "esc closes it");
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keys" }).waitFor();
  await picture("keys");
  await page.keyboard.press("Escape");
  await page.keyboard.press("/");
  check(await page.evaluate(() => document.activeElement?.id === "query"), "/ goes to the query");
  await page.keyboard.press("Escape");
  await page.keyboard.press("w");
  await until(async () => params().get("wrap") === "1", "w wraps");
  await page.keyboard.press("t");
  await page.getByRole("dialog", { name: "Time range" }).waitFor();
});

await step("a long list scrolls, fetches more, and stays small", async () => {
  await open();
  for (let turn = 0; turn < 40; turn++) {
    await page.evaluate(() => document.querySelector("#list").scrollBy(0, 4000));
    await page.waitForTimeout(25);
  }
  await until(async () => Number(await rows.last().getAttribute("aria-setsize")) > 1500, "more rows come");
  check((await rows.count()) < 200, "only what is in sight has elements");
  const times = await page.locator("#list .row time").evaluateAll((all) => all.map((one) => one.dateTime));
  check(times.length > 10 && times.every((one, index) => index === 0 || one <= times[index - 1]), "newest first");
});

await step("what stands in a line is never read as markup, and what is unseen is shown", async () => {
  await page.goto(`${base}/?q=${encodeURIComponent(`_tag:=${NASTY_TAG} nasty`)}&from=1d`);
  await rows.first().waitFor();
  await settled();
  check((await page.locator("#list img, #list script").count()) === 0, "no element comes of it");
  check(!(await page.title()).includes("taken"), "nothing ran");
  const text = await words("#list");
  check(text.includes("<img src=x"), "the markup is text");
  check(text.includes("\\a") && text.includes("\\u202e") && !text.includes("\u202e"), "control characters are escapes");
  check((await page.locator("#list .a-red").count()) > 0, "ANSI colours are classes");
  await ask("needle-at-the-end");
  check(await page.locator("#list mark").first().isVisible(), "a match far to the right is in sight");
});

await step("an error underlines its place and says the remedy", async () => {
  await open();
  await ask(`${MINE} level:error "connection res`);
  await page.locator("#error").waitFor();
  check((await page.locator("#underline u").count()) === 1, "the place is underlined");
  check((await words("#error")).length > 20, "there are words");
  await picture("error");
});

await step("no match says what was searched and offers a way on", async () => {
  await page.goto(`${base}/?q=${encodeURIComponent("servicee:api")}&from=15m`);
  await page.getByRole("heading", { name: "No line matches" }).waitFor();
  await page.getByRole("button", { name: "service instead of servicee" }).click();
  await until(async () => (await page.inputValue("#query")) === "service:api", "the offer is taken");
});

await step("pipes make a table", async () => {
  await open();
  await ask(`${MINE} | stats count() by (service)`);
  await page.locator("#table table").waitFor();
  equal(await page.locator("#table tbody tr").count(), 4, "one row a service");
});

await step("a timechart is drawn above its rows", async () => {
  await open();
  await ask(`${MINE} | timechart 5m count() as n, avg(latency_ms) as ms by service`);
  await page.locator(".charts svg").nth(7).waitFor();
  equal(await page.locator(".charts figure").count(), 8, "two figures of four services");
  check((await page.locator(".charts figcaption").first().innerText()).includes("max"), "with its largest value");
  check((await page.locator("#table tbody tr").count()) > 8, "the rows stand below");
  await picture("charts");
});

await step("live lines come, wait while one reads, and go on", async () => {
  await open();
  await page.click("#live");
  await until(async () => params().get("live") === "1", "the address says so");
  await page.waitForTimeout(500);
  await send(base, lines([{ time: new Date().toISOString(), level: "info", service: "live", message: "first live line" }]), TAG);
  await until(async () => (await words("#list")).includes("first live line"), "the line is there");
  await picture("live");
  await page.evaluate(() => document.querySelector("#list").scrollBy(0, 600));
  await page.waitForTimeout(100);
  const top = await page.locator("#list").evaluate((list) => list.scrollTop);
  await send(base, lines([{ time: new Date().toISOString(), level: "warn", service: "live", message: "second live line" }]), TAG);
  await page.locator("#fresh").waitFor();
  equal(await page.locator("#list").evaluate((list) => list.scrollTop), top, "nothing moved");
  await page.click("#fresh");
  await until(async () => (await words("#list")).includes("second live line"), "then it is there");
});

await step("a lost connection is told and comes back alone", async () => {
  await open();
  await context.setOffline(true);
  await page.fill("#query", `${MINE} level:warn`);
  await page.press("#query", "Enter");
  await page.locator("#lost").waitFor();
  await context.setOffline(false);
  await page.locator("#lost").waitFor({ state: "hidden", timeout: 15000 });
  await rows.first().waitFor();
});

/** The cells of a part in the status, by its role and the begin of its name. */
async function part(name) {
  const row = page.locator(".parts tbody tr", { has: page.locator("th[scope=row]", { hasText: name }) }).first();
  return (await row.locator("th, td").allInnerTexts()).map((cell) => cell.trim());
}

await step("inputs, filters and outputs are shown with state, rates, queue and lag", async () => {
  await open();
  await page.locator("#list").focus();
  await page.keyboard.press("s");
  const dialog = page.getByRole("dialog", { name: "Inputs, filters and outputs" });
  await dialog.waitFor();
  equal(params().get("parts"), "1", "the address has it");
  const said = await (await fetch(`${base}/api/v1/status`)).json();
  await until(async () => (await page.locator(".parts th[scope=row]").count()) === said.parts.length, "every part has a row");
  check((await page.locator(".parts .role").allInnerTexts()).join(" ").toLowerCase().startsWith("inputs"), "inputs come first");
  const store = said.parts.find((one) => one.role === "output");
  equal((await part(store.name))[1], store.state, "the state of the store's output");
  check(/^0|B$/.test((await part(store.name))[5]), "its queue");
  await until(async () => /^\d/.test((await part(store.name))[2]), "rates come with the second look");
  const before = (await part(store.name))[4];
  await send(base, lines(events(2000, Date.now() - 100)), `${TAG}-flow`);
  await until(async () => (await part(store.name))[4] !== before, "what comes is counted");
  await picture("parts");
  await page.reload();
  await dialog.waitFor();
  await page.keyboard.press("Escape");
  await until(async () => !params().has("parts"), "Escape closes it, and the address says so");
  equal(await page.locator("dialog.parts").count(), 0, "it is gone");
  await page.click("#more");
  await page.getByRole("menuitem", { name: /^Inputs and outputs/ }).click();
  await dialog.waitFor();
  await page.goBack();
  await until(async () => (await page.locator("dialog.parts").count()) === 0, "Back closes it");
});

await step("everything is reachable by Tab with a visible focus", async () => {
  await open();
  const seen = new Set();
  for (let turn = 0; turn < 40; turn++) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const node = document.activeElement;
      const style = node && getComputedStyle(node);
      return { name: node?.id || node?.className || "", seen: !!style && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0 };
    });
    if (at.name) seen.add(at.name);
    check(at.seen || !at.name, `${at.name} shows its focus`);
  }
  for (const name of ["query", "time", "live", "more", "plot", "toggle"]) check(seen.has(name), `${name} is reached`);
});

/** The smallest contrast of text that is in sight, and whose. */
const contrast = () => page.evaluate(() => {
  const channel = (value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const read = (color) => (color.match(/[\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r / 255) + 0.7152 * channel(g / 255) + 0.0722 * channel(b / 255);
  const ground = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const [r, g, b, a = 1] = read(getComputedStyle(at).backgroundColor);
      if (a === 1 && r !== undefined) return [r, g, b];
    }
    return [255, 255, 255];
  };
  let worst = { ratio: 99, text: "" };
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((kid) => kid.nodeType === 3 && kid.textContent.trim());
    const box = node.getBoundingClientRect();
    const style = getComputedStyle(node);
    if (!own || !box.width || style.visibility === "hidden" || style.opacity === "0" || node.closest("[aria-hidden], .unseen, .fold, svg")) continue;
    const [r, g, b, a = 1] = read(style.color);
    if (a < 1) continue;
    const [x, y] = [light([r, g, b]), light(ground(node))];
    const ratio = (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
    if (ratio < worst.ratio) worst = { ratio, text: `${node.className || node.tagName}: ${node.textContent.slice(0, 30)}` };
  }
  return worst;
});

await step("a click writes what the query language reads, and marks follow smart case", async () => {
  const got = await page.evaluate(async () => {
    const lang = await import("/ui/lang.js");
    const one = lang.narrow("timeout | top service", "service", "api", false);
    const two = lang.narrow(one, "service", 'a "b"', false);
    const marked = (query, text) => text.replace(lang.marks(query) ?? /$^/, "<$&>");
    return {
      one, two,
      three: lang.release(two, "service", "api"),
      four: lang.narrow("level:=error x", "level", "error", true),
      five: lang.narrow("", "odd name", "", true),
      url: lang.terms("http://x/y -a:b /v2/pay").map((term) => `${term.field}=${term.value}`).join(" "),
      marks: [marked("time-out", "Time-Out"), marked("Time", "time Time"), marked("*ime*", "timer"), marked("-a b", "a b"), marked("/b+/", "abbb")].join(" "),
      place: lang.place("é|x", 3),
    };
  });
  equal(got.one, "timeout service:=api | top service", "a term goes before the pipes");
  equal(got.two, 'timeout service:in(api, "a \\"b\\"") | top service', "a second value widens");
  equal(got.three, 'timeout service:="a \\"b\\"" | top service', "a value goes away again");
  equal(got.four, "x -level:=error", "the contrary takes its place");
  equal(got.five, '-"odd name":=""', "odd names are quoted");
  equal(got.url, "=http://x/y a=b =/v2/pay", "addresses and paths are no fields and no expressions");
  equal(got.marks, "<Time-Out> time <Time> t<ime>r a <b> a<bbb>", "marks");
  equal(got.place, 2, "bytes are not letters");
});

for (const colorScheme of ["light", "dark"]) {
  await step(`the parts have contrast enough (${colorScheme})`, async () => {
    await page.emulateMedia({ colorScheme });
    await open("", "&parts=1");
    await page.locator(".parts th[scope=row]").first().waitFor();
    const worst = await contrast();
    check(worst.ratio >= 4.5, `${worst.ratio.toFixed(2)} is too little: ${worst.text}`);
    await page.emulateMedia({ colorScheme: "light" });
  });
}

const EVENTS = `${TAG}-events`;
await send(base, lines([...request(Date.now() - 9000, `${TAG}01`), ...request(Date.now() - 3000, `${TAG}02`)]), EVENTS);

/** Opens the newest request as its tree. */
async function openTree() {
  await page.goto(`${base}/?q=${encodeURIComponent(`_tag:=${EVENTS} type:=request`)}&from=1h`);
  await rows.nth(1).waitFor();
  await rows.first().locator(".cells").click();
  await page.locator(".tree .span").nth(9).waitFor();
  await settled();
}

await step("an application event opens as its tree on a time line", async () => {
  await openTree();
  check(/request 320\.0 ms/.test(await rows.nth(1).innerText()), "a row says what it is and how long it took");
  const names = await page.locator(".tree .label").allInnerTexts();
  equal(names.join(" "), "request .auth .load .sql .sql .pay .http request.log .http .render", "those of this request, in order");
  equal(await page.locator(".tree .own .label").innerText(), "request", "the opened one is marked");
  equal(await page.locator(".tree .took").nth(3).innerText(), "62.0 ms", "how long it took");
  const lane = await page.locator(".tree .lane").nth(5).boundingBox();
  const bar = await page.locator(".tree .lane .bar").nth(5).boundingBox();
  check(Math.abs((bar.x - lane.x) / lane.width - 0.165 / 0.32) < 0.02 && Math.abs(bar.width / lane.width - 0.135 / 0.32) < 0.02, "the bar is when it was");
  const [panel, next] = [await page.locator(".panel").boundingBox(), await rows.nth(1).boundingBox()];
  check(next.y >= panel.y + panel.height - 1, "the next row stands below");
  await picture("event");
});

await step("the tree works with the keyboard", async () => {
  await openTree();
  const focus = () => page.evaluate(() => document.activeElement?.querySelector(".label")?.textContent);
  await page.locator(".tree .span").first().focus();
  for (const key of ["ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp"]) await page.keyboard.press(key);
  equal(await focus(), ".load", "three down, one up");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  check((await words(".tree .said")).includes("FROM orders"), "Enter shows what the event says");
  const [panel, next] = [await page.locator(".panel").boundingBox(), await rows.nth(1).boundingBox()];
  check(next.y >= panel.y + panel.height - 1, "the next row makes room");
  await page.keyboard.press("Enter");
  equal(await page.locator(".tree .said").count(), 0, "and again hides it");
  check(await page.evaluate(() => getComputedStyle(/** @type {Element} */ (document.activeElement)).outlineStyle !== "none"), "the focus is visible");
});

for (const colorScheme of ["light", "dark"]) {
  await step(`a tree has contrast enough (${colorScheme})`, async () => {
    await page.emulateMedia({ colorScheme });
    await openTree();
    const worst = await contrast();
    check(worst.ratio >= 4.5, `${worst.ratio.toFixed(2)} is too little: ${worst.text}`);
    await page.emulateMedia({ colorScheme: "light" });
  });
}

for (const colorScheme of ["light", "dark"]) {
  await step(`text has contrast enough (${colorScheme})`, async () => {
    await page.emulateMedia({ colorScheme });
    await open("timeout");
    await rows.nth(1).locator(".cells").click();
    await page.locator(".panel").waitFor();
    const worst = await contrast();
    check(worst.ratio >= 4.5, `${worst.ratio.toFixed(2)} is too little: ${worst.text}`);
    await page.emulateMedia({ colorScheme: "light" });
  });
}

await loggers({ base, tag: `${TAG}-alco`, page, send, lines, picture, settled, contrast });

await step("a narrow screen holds it all", async () => {
  await page.setViewportSize({ width: 360, height: 740 });
  await open();
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  check(wide <= 360, `nothing sticks out: ${wide}`);
  await picture("narrow");
  await page.keyboard.press("h");
  await page.locator("#fields").waitFor();
  await picture("narrow-fields");
  await page.keyboard.press("Escape");
  await rows.nth(1).locator(".cells").click();
  await page.locator(".panel").waitFor();
  check((await page.evaluate(() => document.documentElement.scrollWidth)) <= 360, "neither does a record");
  await openTree();
  check((await page.evaluate(() => document.documentElement.scrollWidth)) <= 360, "nor a tree");
  await page.setViewportSize({ width: 1280, height: 800 });
});

await step("the page is light, says nothing to others and complains of nothing", async () => {
  const fresh = await browser.newContext();
  const one = await fresh.newPage();
  const bodies = [];
  one.on("response", (response) => {
    const { pathname } = new URL(response.url());
    if (pathname === "/" || pathname.startsWith("/ui/")) bodies.push(response.body());
  });
  await one.goto(`${base}/`);
  await one.waitForLoadState("networkidle");
  const weight = (await Promise.all(bodies)).reduce((sum, body) => sum + body.length, 0);
  await fresh.close();
  check(weight > 10_000 && weight <= 150_000, `${weight} bytes`);
  equal(foreign.length, 0, `requests elsewhere: ${foreign.slice(0, 3)}`);
  equal(noise.length, 0, `complaints: ${noise.slice(0, 3).join(" | ")}`);
});

await step("tenants are made on their page, with tokens, limits and what they did", () => tenants(browser, base, out));

await browser.close();
finish();
