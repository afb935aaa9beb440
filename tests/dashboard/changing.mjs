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

test("weights are changed together, and DNS follows", () =>
  travel(async (page) => {
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

test("an override is cleared, and what that does is shown first", () =>
  travel(async (page) => {
    await go(page, "#/profiles/app.gtm.example.", "app.gtm.example.");
    for (const name of ["seattle", "orlando"]) {
      const endpoint = page.getByRole("article", { name: `Endpoint ${name}` });
      await endpoint.getByRole("button", { name: "Clear weight…" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByRole("row", { name: /^orlando/ }).waitFor();
      await dialog.getByRole("button", { name: `Clear the weight override of ${name}` }).click();
      await dialog.waitFor({ state: "detached" });
      await endpoint.getByRole("button", { name: "Clear weight…" }).waitFor({ state: "detached" });
    }
    await shares(80);
  }));

test("a change that waits for a confirmation is undone", () =>
  travel(async (page) => {
    await go(page, "#/profiles/app.gtm.example.", "app.gtm.example.");
    await number(page, "orlando").fill("40");
    const planned = page.getByRole("region", { name: "What these weights would do" });
    await planned.getByLabel("Undo unless confirmed within").selectOption("5 min");
    await planned.getByRole("button", { name: "Apply: orlando 20 → 40" }).click();
    const waiting = page.getByRole("region", { name: "Waiting for your word" });
    await waiting.getByText("app.gtm.example. orlando: weight 40").waitFor();
    await shares(67);
    await waiting.getByRole("button", { name: "Undo now" }).click();
    await waiting.waitFor({ state: "hidden" });
    await shares(80);
  }));

test("what guardrails refuse can't be applied, and says why", () =>
  travel(
    async (page) => {
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
    },
    { expected: /status of (401|409)/ },
  ));

test("what somebody else changed meanwhile is not overwritten unseen", () =>
  travel(
    async (page) => {
      await go(page, "#/profiles/www.gtm.example.", "www.gtm.example.");
      await page.getByRole("article", { name: "Endpoint orlando" }).getByRole("button", { name: "Disable…" }).click();
      const disable = page.getByRole("dialog").getByRole("button", { name: "Disable orlando" });
      await disable.and(page.locator(":enabled")).waitFor();
      await page.evaluate(async (path) => {
        const change = (body) =>
          fetch(path, { method: "PATCH", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
        await change({ priority: 7 });
      }, "/v1/profiles/www.gtm.example./endpoints/seattle");
      await disable.click();
      await page.getByRole("dialog").getByText("Somebody else has changed it meanwhile.").waitFor();
      await disable.and(page.locator(":enabled")).waitFor();
      await disable.click();
      await page.getByRole("dialog").waitFor({ state: "detached" });
      for (const name of ["orlando", "seattle"]) {
        const endpoint = page.getByRole("article", { name: `Endpoint ${name}` });
        const clear = endpoint.getByRole("button", { name: /^Clear/ });
        await clear.click();
        await page
          .getByRole("dialog")
          .getByRole("button", { name: /^Clear/ })
          .click();
        await clear.waitFor({ state: "detached" });
      }
    },
    { expected: /status of (401|412)/ },
  ));

test("a site is drained and brought back, and DNS follows", () =>
  travel(async (page) => {
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
    await page
      .getByRole("dialog")
      .getByText(/Traffic comes back to seattle/)
      .waitFor();
    await page.getByRole("dialog").getByLabel("Up to its full share within").fill("1s");
    await page.getByRole("dialog").getByRole("button", { name: "Bring seattle back" }).click();
    await page.getByText("seattle is drained").waitFor({ state: "detached" });
    await page.getByText("seattle takes its share back").waitFor({ state: "detached" });
    await shares(80);
  }));

/** Presses a button that plans something, and then the one that does it. */
async function make(page, plan, name, reason) {
  await plan.click();
  const dialog = page.getByRole("dialog");
  if (reason) await dialog.getByLabel("Reason").fill(reason);
  await dialog.getByRole("button", { name, exact: true }).click();
  await dialog.waitFor({ state: "detached" });
}

test("an endpoint is forced down, recovers, and is failed back to", () =>
  travel(async (page) => {
    await go(page, "#/profiles/www.gtm.example.", "www.gtm.example.");
    const seattle = page.getByRole("article", { name: "Endpoint seattle" });
    const failBack = page.getByRole("button", { name: "Fail back…" });
    await seattle.getByRole("button", { name: "Drain seattle…" }).waitFor();
    if (await failBack.isEnabled()) await make(page, failBack, "Fail back to seattle");
    await make(page, seattle.getByRole("button", { name: "Force down…" }), "Force seattle down");
    await seattle.getByText("forced down", { exact: true }).waitFor();
    assert.deepEqual(Object.keys(await answers("www.gtm.example")), [ORLANDO]);
    await make(page, seattle.getByRole("button", { name: "Clear forced…" }), "Clear the forced override of seattle");
    await failBack.and(page.locator(":enabled")).waitFor();
    await make(page, failBack, "Fail back to seattle");
    assert.deepEqual(Object.keys(await answers("www.gtm.example")), [SEATTLE]);
  }));

test("a profile is switched off and on", () =>
  travel(async (page) => {
    await go(page, "#/profiles/www.gtm.example.", "www.gtm.example.");
    const before = Object.keys(await answers("www.gtm.example"));
    const off = page.getByRole("button", { name: "Disable the profile…" });
    await make(page, off, "Disable www.gtm.example.", "moved away");
    await page.getByText("disabled by admin: moved away").waitFor();
    await assert.rejects(answers("www.gtm.example"), { code: "ENODATA" });
    await make(
      page,
      page.getByRole("button", { name: "Clear its override…" }),
      "Clear the override of www.gtm.example.",
    );
    await off.waitFor();
    assert.deepEqual(Object.keys(await answers("www.gtm.example")), before);
  }));

test("a weight is changed by the keyboard alone", () =>
  travel(async (page) => {
    const tabTo = async (name) => {
      for (let at = 0; at < 100; at += 1) {
        await page.keyboard.press("Tab");
        const is = await page.evaluate(
          () => document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent,
        );
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
    await page.getByRole("dialog").getByRole("button", { name: "Clear the weight override of seattle" }).click();
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await shares(80);
  }));
