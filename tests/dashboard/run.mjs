// Looks at the dashboard in Chromium.
import { createRequire } from "node:module";

const { CHROMIUM, FAROL_NODE_MODULES, FAROL_TOKEN, FAROL_URL, SCREENSHOTS } = process.env;
const { chromium } = createRequire(`${FAROL_NODE_MODULES}/x`)("playwright-core");

const args = process.getuid() === 0 ? ["--no-sandbox"] : [];
const browser = await chromium.launch({ executablePath: CHROMIUM, args });
const page = await browser.newPage();
await page.goto(FAROL_URL);
await page.getByText("Sign in.").waitFor();
const status = await page.evaluate(async (token) => {
  const response = await fetch("/v1/session", { method: "POST", body: JSON.stringify({ token }) });
  return response.status;
}, FAROL_TOKEN);
await page.reload();
await page.getByText("Signed in.").waitFor();
await page.screenshot({ path: `${SCREENSHOTS}/page.png` });
await browser.close();
if (status !== 200) {
  throw new Error(`signing in gave ${status}`);
}
