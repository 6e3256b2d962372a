// What the browser tests share: a browser, named steps that are counted, and waiting for what is to become true.
import { chromium } from "playwright-core";

const ARGS = [
  "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--disable-dev-shm-usage",
];

/** The browser: CHROMIUM, or where Debian keeps it. */
export const launch = () =>
  chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ARGS });

let passed = 0;
let failed = 0;

/** Runs a step; a failure is told and counted, and the next step goes on. */
export async function step(name, work) {
  try {
    await work();
    passed++;
    console.log(`ok      ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAILED  ${name}\n        ${String(error.message ?? error).split("\n").slice(0, 6).join("\n        ")}`);
  }
}

export function skip(name, why) {
  console.log(`SKIPPED ${name}: ${why}`);
}

/** Prints the counts and ends with what they mean. */
export function finish() {
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed ? 1 : 0;
}

export function check(truth, words) {
  if (!truth) throw new Error(words);
}

export function equal(got, expected, words) {
  check(got === expected, `${words}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(got)}`);
}

/** Waits until `probe` gives what is true; tells the last answer where it never does. */
export async function until(probe, words, ms = 8000) {
  const deadline = Date.now() + ms;
  let last;
  for (;;) {
    last = await probe();
    if (last) return last;
    if (Date.now() > deadline) throw new Error(`${words} (last: ${JSON.stringify(last)})`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
