// Opens the dashboard again and again, and prints the milliseconds until its first rows are shown.

import { createRequire } from "node:module";

const { CHROMIUM, FAROL_NODE_MODULES, FAROL_TOKEN, FAROL_URL } = process.env;
const { chromium } = createRequire(`${FAROL_NODE_MODULES}/x`)("playwright-core");

const args = process.getuid() === 0 ? ["--no-sandbox"] : [];
const browser = await chromium.launch({ executablePath: CHROMIUM, args });
const context = await browser.newContext();
const first = await context.newPage();
await first.goto(FAROL_URL);
await first.getByLabel("Token").fill(FAROL_TOKEN);
await first.getByLabel("Token").press("Enter");
await first.locator(".profiles tbody tr").first().waitFor();
await first.close();
for (let at = 0; at < Number(process.argv[2]); at += 1) {
  const page = await context.newPage();
  const debug = await context.newCDPSession(page);
  await debug.send("Network.setCacheDisabled", { cacheDisabled: true });
  // The page itself takes the time: whoever drives it hears of it later.
  await page.addInitScript(() => {
    const watcher = new MutationObserver(() => {
      const row = document.querySelector(".profiles tbody tr");
      if (!row?.checkVisibility()) return;
      watcher.disconnect();
      requestAnimationFrame(() => setTimeout(() => (window.firstRows = performance.now())));
    });
    watcher.observe(document, { subtree: true, childList: true, attributes: true });
  });
  await page.goto(FAROL_URL, { waitUntil: "commit" });
  const shown = await page.waitForFunction(() => window.firstRows);
  console.log(await shown.jsonValue());
  await page.close();
}
await browser.close();
