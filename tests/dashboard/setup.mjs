// What the journeys share: a browser, pages that must stay quiet, DNS, and axe.

import assert from "node:assert/strict";
import dns from "node:dns/promises";
import fs from "node:fs";
import { createRequire } from "node:module";

const { CHROMIUM, FAROL_DNS, FAROL_NODE_MODULES, FAROL_TOKEN, FAROL_URL, SCREENSHOTS } = process.env;
const require = createRequire(`${FAROL_NODE_MODULES}/x`);
const { chromium } = require("playwright-core");
const AXE = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

/** Where the daemon's API is. */
export const url = FAROL_URL;
/** A token of an admin. */
export const token = FAROL_TOKEN;
/** The sizes and themes that pages are looked at in. */
export const LOOKS = {
  light: { viewport: { width: 1280, height: 900 }, colorScheme: "light" },
  dark: { viewport: { width: 1280, height: 900 }, colorScheme: "dark" },
  phone: { viewport: { width: 360, height: 780 }, colorScheme: "light", hasTouch: true },
};

let browser;

/** Starts Chromium. */
export async function start() {
  const args = process.getuid() === 0 ? ["--no-sandbox"] : [];
  browser = await chromium.launch({ executablePath: CHROMIUM, args });
}

/** Ends it. */
export const stop = () => browser.close();

/**
 * Goes through a journey in a browser of its own, and demands that nothing was said on the console and nothing broke the page's
 * policy. What the browser itself notes of answers that are no success is `expected` where the journey asks for them.
 * @param {(page: import("playwright-core").Page) => Promise<void>} journey
 * @param {{look?: string, at?: string, expected?: RegExp, signedIn?: boolean}} [options]
 */
export async function travel(journey, { look = "light", at = url, expected = /status of 401/, signedIn = true } = {}) {
  const context = await browser.newContext(LOOKS[look]);
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  const said = [];
  page.on("console", (it) => said.push(`${it.type()}: ${it.text()}`));
  page.on("pageerror", (it) => said.push(it.stack ?? it.message));
  await page.addInitScript(() => document.addEventListener("securitypolicyviolation", (it) =>
    console.error(`policy: ${it.violatedDirective} ${it.blockedURI}`)));
  try {
    await page.goto(at);
    if (signedIn) await signIn(page);
    await journey(page);
    const isExpected = (it) => it.startsWith("error: Failed to load resource") && expected.test(it);
    assert.deepEqual(said.filter((it) => !isExpected(it)), []);
  } catch (error) {
    await page.screenshot({ path: `${SCREENSHOTS}/failed.png` }).catch(() => {});
    throw error;
  } finally {
    await context.close();
  }
}

/** Signs in by a token, that of the admin unless another is given, and waits for the overview. */
export async function signIn(page, by = token) {
  await page.getByLabel("Token").fill(by);
  await page.getByLabel("Token").press("Enter");
  await page.getByRole("heading", { name: "Profiles" }).waitFor();
}

/** Goes to a page by its address, and waits for its heading. */
export async function go(page, fragment, heading) {
  await page.goto(`${new URL(page.url()).origin}/${fragment}`);
  await page.getByRole("heading", { name: heading, exact: true, level: 1 }).waitFor();
}

/**
 * Takes a picture of the page, and demands that axe finds no serious problem in it.
 * @param {string} name the picture's
 */
export async function look(page, name) {
  await page.screenshot({ path: `${SCREENSHOTS}/${name}.png`, fullPage: true });
  const tooWide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(tooWide <= 0, `${name} is ${tooWide} px wider than the screen`);
  // Over the debugger, as the page's policy lets no foreign script in.
  const debug = await page.context().newCDPSession(page);
  await debug.send("Runtime.evaluate", { expression: AXE });
  const { result } = await debug.send("Runtime.evaluate", {
    expression: "axe.run().then((it) => JSON.stringify(it.violations))", awaitPromise: true, returnByValue: true,
  });
  await debug.detach();
  const serious = JSON.parse(result.value).filter((it) => ["serious", "critical"].includes(it.impact));
  assert.deepEqual(serious.map((it) => `${it.id}: ${it.nodes.map((node) => node.target.join(" ")).join(", ")}`), [], name);
}

const resolver = new dns.Resolver();
resolver.setServers([FAROL_DNS]);

/**
 * Asks often, and counts what comes.
 * @param {string} name
 * @returns {Promise<Record<string, number>>} percent of the answers by address
 */
export async function answers(name) {
  const times = 100;
  const seen = {};
  for (let at = 0; at < times; at += 1) {
    const [address] = await resolver.resolve4(name);
    seen[address] = (seen[address] ?? 0) + 100 / times;
  }
  return seen;
}
