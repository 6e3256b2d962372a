// The pages of loggers, and ALCO's bookmarks: a logger is made, changed and used while the node runs.
import { check, equal, step, until } from "./harness.mjs";

const NOW = Date.now();

/** Events of logcollect as a web server and a worker on two hosts send them, of one request among others. */
const sent = [
  ["web", "web-1", [
    { logger: "shop.views", levelname: "INFO", message: "order placed", req_id: "r-7", project: "shop" },
    { logger: "shop.views", levelname: "INFO", message: "cart shown", req_id: "r-8", project: "shop" },
    { logger: "shop.views", levelname: "ERROR", message: "Bad Gateway from the bank", req_id: "r-7", project: "shop", exc_info: "Traceback (most recent call last):\n  File \"a.py\"" },
  ]],
  ["worker", "worker-1", [
    { logger: "shop.tasks", levelname: "INFO", message: "mail sent", req_id: "r-7", project: "shop" },
    { logger: "shop.tasks", levelname: "INFO", message: "mail sent", req_id: "r-9", project: "shop" },
  ]],
];

/**
 * @param {object} of
 * @param {string} of.base @param {string} of.tag What the tags of the events begin with.
 * @param {import("playwright-core").Page} of.page
 * @param {(base: string, body: string, tag: string, type?: string, host?: string) => Promise<any>} of.send
 * @param {(list: any[]) => string} of.lines @param {(name: string) => Promise<void>} of.picture
 * @param {() => Promise<void>} of.settled @param {() => Promise<{ratio: number, text: string}>} of.contrast
 */
export async function loggers({ base, tag, page, send, lines, picture, settled, contrast }) {
  const rows = page.locator("#list .row");
  const shown = async () => (await page.locator("#list .row .line").allInnerTexts()).map((line) => line.trim());
  const name = `${tag}-web`;
  let ago = 60_000;
  for (const [of, host, events] of sent) {
    const timed = events.map((event) => ({ "@timestamp": new Date(NOW - (ago -= 1000)).toISOString(), ...event }));
    await send(base, lines(timed), `${tag}-${of}`, "application/x-ndjson", host);
  }

  await step("a logger is made on its page, and holds at once", async () => {
    await page.goto(`${base}/loggers/#logger/`);
    await page.getByLabel("Name", { exact: true }).fill(name);
    await page.getByLabel("Search").fill(`_tag:=${tag}-web |`);
    await page.getByRole("button", { name: "Save" }).click();
    await page.locator("#error").waitFor();
    await page.getByLabel("Search").fill(`_tag:=${tag}-web`);
    await page.getByLabel("Days").fill("30");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("checkbox", { name: "levelname: filtered" }).waitFor();
    check(await page.locator("#error").isHidden(), "what was wrong is mended");
    // Its fields appear by themselves; some are set.
    await page.getByRole("checkbox", { name: "levelname: filtered" }).check();
    await page.getByRole("checkbox", { name: "project: displayed" }).uncheck();
    await page.getByRole("checkbox", { name: "exc_info: context" }).check();
    await page.getByRole("checkbox", { name: "project: excluded" }).check();
    await page.getByRole("button", { name: "Save" }).click();
    await until(async () => (await page.locator("#said").innerText()).includes("saved"), "it is said");
    await picture("loggers");
    const { loggers } = await (await fetch(`${base}/api/v1/loggers`)).json();
    const made = loggers.find((one) => one.name === name);
    equal(made.days, 30, "the days");
    equal(JSON.stringify(made.columns.map((one) => one.name).sort()), JSON.stringify(["exc_info", "levelname", "project"]), "columns of which something is set");
    await page.reload();
    await page.getByRole("checkbox", { name: "levelname: filtered" }).waitFor();
    check(await page.getByRole("checkbox", { name: "levelname: filtered" }).isChecked(), "it is there after a reload");
    check(!(await page.getByRole("checkbox", { name: "project: displayed" }).isChecked()), "and what was turned off");
    const answer = await (await fetch(`${base}/api/grep/${name}/?search=bad+gateway`)).json();
    equal(answer.results.length, 1, "one phrase");
    equal(answer.results[0].logline_snippet, "<b>Bad Gateway</b> from the bank", "marked");
    check(!("project" in answer.results[0].js) && answer.results[0].js.req_id === "r-7", "what is excluded is left out");
  });

  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    await step(`the page of loggers has contrast enough (${colorScheme})`, async () => {
      await page.emulateMedia({ colorScheme });
      const worst = await contrast();
      check(worst.ratio >= 4.5, `${worst.ratio.toFixed(2)} is too little: ${worst.text}`);
      await page.emulateMedia({ colorScheme: "light" });
    });
  }

  await step("a shortcut is made, and its bookmark leads to the lines", async () => {
    await page.goto(`${base}/loggers/#shortcut/`);
    await page.getByLabel("Name", { exact: true }).fill(`${tag}-req`);
    await page.getByLabel("Logger", { exact: true }).selectOption(name);
    await page.getByLabel("Description").fill("One request");
    await page.getByLabel("Default field").fill("req_id");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("link", { name: "Open" }).waitFor();
    await page.goto(`${base}/grep/shortcut/${tag}-req/r-7/`);
    await rows.nth(1).waitFor();
    await settled();
    const found = await shown();
    equal(found.length, 2, `lines of the request in this logger: ${found}`);
  });

  await step("the list of loggers tells counts, and leads to lines, live ones too", async () => {
    await page.goto(`${base}/grep/`);
    const logger = page.locator("details", { hasText: name });
    check((await logger.innerText()).includes("3 in 5 minutes"), await logger.innerText());
    check((await logger.innerText()).includes("One request"), "its shortcut");
    await picture("grep");
    await logger.getByRole("link", { name: "Live" }).click();
    await rows.first().waitFor();
    equal(await page.locator("#live").getAttribute("aria-pressed"), "true", "it follows");
    await page.waitForTimeout(300);
    await send(base, lines([{ "@timestamp": new Date().toISOString(), levelname: "INFO", logger: "shop.views", message: "came live", req_id: "r-10" }]), `${tag}-web`, "application/x-ndjson", "web-1");
    await until(async () => (await shown()).some((line) => line.startsWith("came live")), "a new line is there");
  });

  await step("old bookmarks show what they asked for", async () => {
    const start = new Date(NOW - 3_600_000).toISOString().slice(0, 19).replace("T", " ");
    const open = async (/** @type {Record<string, string>} */ asked) => {
      await page.goto(`${base}/grep/${name}/?${new URLSearchParams({ start_ts: start, ...asked })}`);
      await rows.first().waitFor();
      await settled();
      return shown();
    };
    equal((await open({ search: "bad gateway" })).length, 1, "a phrase");
    check(await page.locator("#list mark").first().isVisible(), "it is marked");
    equal((await open({ search: '@levelname="ERROR"' })).length, 1, "@field=value");
    equal((await open({ req_id__in: "r-7,r-8" })).length, 3, "several values");
    equal((await open({ search: "cart", context: "y" })).length, 3, "the whole log from the first match on");
    await open({ columns: "logger,req_id" });
    check((await page.locator("#head").innerText()).includes("req_id"), "its columns");
    await until(async () => (await page.locator("#fields .field.open").allInnerTexts()).some((text) => text.includes("ERROR")), "values of a filtered column are offered");
    await picture("bookmark");
  });

  await step("one click leads from a line to all of its request, of all loggers and hosts", async () => {
    await page.locator("#list .row", { hasText: "Bad Gateway" }).locator(".cells").click();
    await page.locator(".panel").waitFor();
    check((await page.locator(".panel").innerText()).includes("Traceback"), "what is shown on demand");
    await page.getByRole("button", { name: "same req_id" }).or(page.getByRole("button", { name: /^Show all lines with req_id/ })).first().click();
    await until(async () => (await shown()).some((line) => line.startsWith("mail sent")), "lines of the other host");
    await settled();
    equal((await shown()).length, 3, "all of the request, and no other");
    await page.locator(".row.open").waitFor();
    await picture("same");
    await page.goBack();
    await until(async () => (await page.inputValue("#query")).includes(`_tag:=${tag}-web`), "Back leads to the logger");
  });

  await step("from a line to the lines of its host around it", async () => {
    await page.locator("#list .row", { hasText: "cart shown" }).locator(".cells").click();
    await page.locator(".panel").waitFor();
    await page.getByRole("button", { name: /around/ }).click();
    await until(async () => (await page.inputValue("#query")).startsWith("_source:"), "the query is the source");
    await settled();
    check((await shown()).every((line) => !line.startsWith("mail sent")) && (await shown()).length >= 3, "this host's lines");
  });

  await step("a logger goes, and its lines stay", async () => {
    await page.goto(`${base}/loggers/#logger/${name}`);
    await page.getByRole("button", { name: "Remove" }).click();
    await until(async () => !(await page.locator("#names").innerText()).includes(name), "it is gone");
    equal((await fetch(`${base}/api/grep/${name}/`)).status, 404, "also for scripts");
    await page.goto(`${base}/?q=${encodeURIComponent(`_tag:=${tag}-web`)}`);
    await rows.first().waitFor();
  });
}
