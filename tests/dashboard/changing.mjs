// What is changed: weights and drains that DNS follows, and what guardrails refuse.

import assert from "node:assert/strict";
import test from "node:test";
import { answers, go, travel } from "./setup.mjs";

const [SEATTLE, ORLANDO] = ["127.0.0.1", "127.0.0.2"];
const SCRIPT = "<img src=x onerror=alert(1)>";
const number = (page, name) => page.getByLabel(`Weight of ${name}, as a number`);

async function shares(seattle) {
  const seen = (await answers("app.gtm.example"))[SEATTLE] ?? 0;
  assert.ok(Math.abs(seen - seattle) < 10, `seattle is in ${seen} % of the answers, not in ${seattle} %`);
}

test("weights are changed together, and DNS follows", () => travel(async (page) => {
  await shares(80);
  await go(page, "#/profiles/app.gtm.example.", "app.gtm.example.");
  await page.getByRole("slider", { name: "Weight of seattle" }).fill("20");
  await number(page, "orlando").fill("80");
  const planned = page.getByRole("region", { name: "What these weights would do" });
  await planned.getByRole("row", { name: "seattle 80 % 20 %" }).waitFor();
  await shares(80);
  await planned.getByLabel("Reason").fill(SCRIPT);
  await planned.getByRole("button", { name: "Apply: seattle 80 → 20, orlando 20 → 80" }).click();
  await planned.waitFor({ state: "hidden" });
  await shares(20);
  await page.getByRole("article", { name: "Endpoint seattle" }).getByText(`: ${SCRIPT}`).waitFor();
  await go(page, "#/audit", "Audit");
  await page.getByText(SCRIPT).first().waitFor();
  assert.equal(await page.locator("img[src=x]").count(), 0);
}));

test("an override is cleared, and what that does is shown first", () => travel(async (page) => {
  await go(page, "#/profiles/app.gtm.example.", "app.gtm.example.");
  for (const name of ["seattle", "orlando"]) {
    const endpoint = page.getByRole("article", { name: `Endpoint ${name}` });
    await endpoint.getByRole("button", { name: "Clear weight…" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("row", { name: /^orlando/ }).waitFor();
    await dialog.getByRole("button", { name: `Clear the weight of ${name}` }).click();
    await dialog.waitFor({ state: "detached" });
    await endpoint.getByRole("button", { name: "Clear weight…" }).waitFor({ state: "detached" });
  }
  await shares(80);
}));

test("what guardrails refuse can't be applied, and says why", () => travel(async (page) => {
  await go(page, "#/profiles/app.gtm.example.", "app.gtm.example.");
  await number(page, "seattle").fill("5");
  const planned = page.getByRole("region", { name: "What these weights would do" });
  await planned.getByText("It would be refused by guardrails").waitFor();
  await planned.getByText("max_weight_step = 60: the weight would go from 80 to 5").waitFor();
  assert.ok(await planned.getByRole("button", { name: "Apply: seattle 80 → 5" }).isDisabled());
  await planned.getByLabel("Pass over the guardrails, because").waitFor();
  await planned.getByRole("button", { name: "Cancel" }).click();
  assert.equal(await number(page, "seattle").inputValue(), "80");
  await shares(80);
}, { expected: /status of (401|409)/ }));

test("a site is drained and brought back, and DNS follows", () => travel(async (page) => {
  await go(page, "#/sites", "Sites");
  const site = page.getByRole("article", { name: "Site seattle" });
  await site.getByRole("button", { name: "Drain seattle…" }).click();
  const dialog = page.getByRole("dialog", { name: "Drain seattle" });
  await dialog.getByText("seattle 80 → 0 %, orlando 20 → 100 %").waitFor();
  const drain = dialog.getByRole("button", { name: "Drain seattle" });
  await drain.click();
  // Without a reason nothing happens.
  assert.ok(await dialog.isVisible());
  await dialog.getByLabel("Reason").fill("new firewall");
  await drain.click();
  await dialog.waitFor({ state: "detached" });
  await site.getByText("Drained", { exact: true }).waitFor();
  await site.getByText("new firewall").waitFor();
  assert.deepEqual(Object.keys(await answers("app.gtm.example")), [ORLANDO]);
  await page.keyboard.press("g");
  await page.keyboard.press("o");
  await page.getByText("seattle is drained").waitFor();
  await page.getByRole("button", { name: "Bring seattle back…" }).click();
  await page.getByRole("dialog").getByText(/Traffic comes back to seattle/).waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Bring seattle back" }).click();
  await page.getByText("seattle is drained").waitFor({ state: "detached" });
  await shares(80);
}));

test("a weight is changed by the keyboard alone", () => travel(async (page) => {
  const tabTo = async (name) => {
    for (let at = 0; at < 100; at += 1) {
      await page.keyboard.press("Tab");
      const is = await page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent);
      if (is === name) return;
    }
    assert.fail(`the tabulator does not come to ${name}`);
  };
  await page.keyboard.press("/");
  await page.keyboard.type("app.gtm");
  await page.getByText("1 profile", { exact: true }).waitFor();
  await tabTo("app.gtm.example.");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "app.gtm.example.", level: 1 }).waitFor();
  await number(page, "seattle").waitFor();
  await tabTo("Weight of seattle");
  for (let at = 0; at < 40; at += 1) await page.keyboard.press("ArrowLeft");
  await tabTo("Weight of seattle, as a number");
  await page.keyboard.press("Enter");
  await page.keyboard.type("by hand");
  await page.getByRole("button", { name: "Apply: seattle 80 → 40" }).and(page.locator(":enabled")).waitFor();
  await page.keyboard.press("Enter");
  await page.getByRole("region", { name: "What these weights would do" }).waitFor({ state: "hidden" });
  await shares(67);
  await page.getByRole("button", { name: "Clear weight…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Clear the weight of seattle" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await shares(80);
}));
