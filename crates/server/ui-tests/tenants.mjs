// The page of tenants in a real browser: the first tenant of a node, its first token, a tenant's token, what the tenant did.
// Run last: from the first tenant on the node asks for tokens.
import path from "node:path";

import { check, equal, until } from "./harness.mjs";

export async function tenants(browser, base, out) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: "light", timezoneId: "UTC" });
  const page = await context.newPage();
  const noise = [];
  page.on("pageerror", (error) => noise.push(error.message));
  const name = `acme "<b>" ${Date.now().toString(36)}`;
  await page.goto(`${base}/ui/admin.html`);
  await page.locator("#tenants tbody tr").first().waitFor();
  check((await page.locator("#who").innerText()).includes("no tenants yet"), "an open node says so");
  await page.fill("#tenants [name=name]", name);
  await page.fill("#tenants [name=title]", "Acme Corp");
  await page.click("#tenants form button");
  await until(async () => (await page.locator("#shown code").count()) === 1, "the first token is shown");
  const first = await page.locator("#shown code").innerText();
  check(first.startsWith("sawlog_"), first);
  equal((await fetch(`${base}/api/v1/session`)).status, 401, "from then on the node asks");
  await page.click("#shown button:text('Done')");
  await page.locator("#tokens h3", { hasText: "Tokens of acme" }).waitFor();
  await page.fill("#tokens [name=name]", "shipper");
  await page.selectOption("#tokens [name=role]", "ingest");
  await page.fill("#tokens [name=expires]", "30d");
  await page.click("#tokens form button:text('Make token')");
  await until(async () => (await page.locator("#shown code").count()) === 1, "a token is shown");
  const token = await page.locator("#shown code").innerText();
  const sent = await fetch(`${base}/api/v1/ingest`, { method: "POST", headers: { Authorization: `Bearer ${token}` }, body: '{"a":1}\n{"a":2}\n' });
  equal(sent.status, 200, "it may send");
  await page.click("#shown button:text('Done')");
  await page.fill("#tokens [name=records_per_second]", "1000");
  await page.click("#tokens form button:text('Set limits')");
  await until(async () => (await page.locator("#tenants tr.chosen").innerText()).includes("Records a second: 1,000"), "the limit is shown");
  const row = await page.locator("#tenants tr.chosen").innerText();
  check(row.includes(name) && /\b2\b/.test(row), `two records today: ${row}`);
  if (out) {
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: path.join(out, `tenants-${colorScheme}.png`) });
    }
  }
  await page.locator("#tokens tbody tr", { hasText: "shipper" }).locator("button:text('Remove')").click();
  await until(async () => (await page.locator("#tokens").innerText()).includes("None."), "it is gone");
  const refused = await fetch(`${base}/api/v1/ingest`, { method: "POST", headers: { Authorization: `Bearer ${token}` }, body: "x\n" });
  equal(refused.status, 401, "and worth nothing");
  // A browser that has no token is asked for one, and shows the page with it.
  const other = await browser.newContext();
  const strange = await other.newPage();
  await strange.goto(`${base}/ui/admin.html`);
  await strange.fill("#sign [name=token]", first);
  await strange.click("#sign button");
  await strange.locator("#tenants tbody tr", { hasText: "Acme Corp" }).waitFor();
  await strange.setViewportSize({ width: 360, height: 640 });
  check((await strange.evaluate(() => document.documentElement.scrollWidth)) <= 360, "nothing is wider than a narrow screen");
  await other.close();
  await signIn(browser, page, base, out);
  await context.close();
  equal(noise.length, 0, `complaints: ${noise.slice(0, 3).join(" | ")}`);
}

/** Somebody with a password: made on the page of tenants, signs in by keyboard alone, and is where they wanted to go. */
async function signIn(browser, page, base, out) {
  await page.reload();
  await page.locator("#users form").last().waitFor();
  const add = page.locator("#users form", { hasText: "Add user" });
  const password = "correct horse battery";
  for (const [field, text] of [["name", "ann"], ["password", password]]) await add.locator(`[name=${field}]`).fill(text);
  await add.locator("[name=role]").selectOption("admin");
  await add.locator("button").click();
  await page.locator("#users tbody tr", { hasText: "ann" }).waitFor();
  for (const colorScheme of ["light", "dark"]) {
    const context = await browser.newContext({ viewport: { width: 360, height: 640 }, colorScheme });
    const form = await context.newPage();
    await form.goto(`${base}/admin?x=1`);
    check(form.url().startsWith(`${base}/login?to=%2Fadmin`), `led to the form: ${form.url()}`);
    equal(await form.evaluate(() => document.activeElement?.getAttribute("name")), "name", "the first field has the focus");
    await form.keyboard.type("ann");
    await form.keyboard.press("Tab");
    await form.keyboard.type("not it");
    await form.keyboard.press("Enter");
    await form.locator("#error:not([hidden])", { hasText: "Name or password is wrong" }).waitFor();
    if (out) await form.screenshot({ path: path.join(out, `login-${colorScheme}.png`) });
    check((await form.evaluate(() => document.documentElement.scrollWidth)) <= 360, "nothing is wider than a narrow screen");
    equal(await form.evaluate(() => document.activeElement?.getAttribute("name")), "password", "what is wrong is ready to be typed over");
    await form.keyboard.type(password);
    await form.keyboard.press("Enter");
    await form.waitForURL(`${base}/admin?x=1`);
    await form.locator("#users tbody tr", { hasText: "ann" }).waitFor();
    check((await form.locator("#who").innerText()).startsWith("ann, admin of"), "it says who");
    await form.click("#out");
    await form.waitForURL(/\/login/);
    await form.goto(`${base}/`);
    check(form.url().includes("/login?to="), "signed out");
    await context.close();
  }
}
