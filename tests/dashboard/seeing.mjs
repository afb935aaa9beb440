// What is seen: signing in, what is wrong, and every page in every look.

import assert from "node:assert/strict";
import test from "node:test";
import { LOOKS, go, look, signIn, token, travel, url } from "./setup.mjs";

test("a wrong token opens nothing, and the right one the overview", () =>
  travel(
    async (page) => {
      await page.getByText("admin.token in the state directory").waitFor();
      assert.match(await page.title(), /Sign in/);
      await page.getByLabel("Token").fill("wrong");
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("alert").getByText("This token opens nothing").waitFor();
      await signIn(page);
      await page.waitForFunction(() => document.title === "1 profile has no healthy endpoint · Farol");
      // The token itself is nowhere that a script could read it.
      const kept = await page.evaluate(
        () => document.cookie + JSON.stringify(localStorage) + JSON.stringify(sessionStorage),
      );
      assert.ok(!kept.includes(token));
      await page.reload();
      await page.getByRole("heading", { name: "Profiles" }).waitFor();
    },
    { signedIn: false },
  ));

test("the overview says first what is wrong, and why", () =>
  travel(async (page) => {
    await page.getByRole("heading", { level: 1, name: "1 profile has no healthy endpoint" }).waitFor();
    const first = page.locator(".matters > li").first();
    await first.getByText("down.gtm.example. has no healthy endpoint").waitFor();
    await first.getByText("connect: refused").waitFor();
    await page.getByText("Live", { exact: true }).waitFor();
    assert.equal(await page.getByRole("link", { name: "Fleet" }).count(), 0, "none is described");
    const row = page.getByRole("row", { name: /app\.gtm\.example\./ });
    await row.getByText("seattle 80 %").waitFor();
    await row.getByText("orlando 20 %").waitFor();
    await row.getByText("/s").waitFor();
  }));

test("profiles are found by text and by status", () =>
  travel(async (page) => {
    await page.keyboard.press("/");
    await page.keyboard.type("down");
    const rows = page.locator(".profiles tbody tr");
    await page.getByText("1 profile", { exact: true }).waitFor();
    assert.equal(await rows.count(), 1);
    await page.keyboard.type("x");
    await page.getByText("No profile fits these filters.").waitFor();
    await page.getByRole("button", { name: "Clear the filters" }).click();
    await page.getByLabel("Status").selectOption("Degraded");
    await page.getByText("1 profile", { exact: true }).waitFor();
    await page.getByRole("link", { name: "down.gtm.example.", exact: true }).click();
    await page.getByRole("heading", { name: "down.gtm.example.", level: 1 }).waitFor();
    await page.goBack();
    await page.getByText("1 profile", { exact: true }).waitFor();
    assert.equal(await page.getByLabel("Status").inputValue(), "Degraded");
  }));

test("an answer is explained, and why the others were not chosen", () =>
  travel(
    async (page) => {
      await go(page, "#/profiles/www.gtm.example.", "www.gtm.example.");
      await page.getByLabel("Client address or network").fill("192.0.2.7");
      await page.getByLabel("Client address or network").press("Enter");
      await page.locator(".decision .chosen").getByText("chosen").waitFor();
      const reasons = await page.locator(".decision tbody td:nth-child(3)").allTextContents();
      assert.equal(reasons.length, 2);
      assert.ok(
        reasons.every((it) => it.length > 0),
        reasons,
      );
      await page.getByLabel("Client address or network").fill("nowhere");
      await page.getByRole("button", { name: "Explain" }).click();
      await page.getByText("It can't be explained").waitFor();
    },
    { expected: /status of 40[01]/ },
  ));

test("what does not exist is told, and leads back", () =>
  travel(
    async (page) => {
      await page.goto(`${url}/#/profiles/ap.gtm.example.`);
      await page.getByRole("alert").getByText("did you mean app.gtm.example.?").waitFor();
      await page.goBack();
      await page.getByRole("heading", { name: "Profiles" }).waitFor();
    },
    { expected: /status of 40[14]/ },
  ));

for (const name of Object.keys(LOOKS)) {
  test(`every page is well made: ${name}`, () =>
    travel(
      async (page) => {
        await look(page, `${name}-sign-in`);
        await signIn(page);
        await look(page, `${name}-overview`);
        await go(page, "#/profiles/app.gtm.example.", "app.gtm.example.");
        await look(page, `${name}-profile`);
        await page.getByLabel("Weight of seattle, as a number").fill("70");
        await page.locator(".planned .comparison").waitFor();
        await look(page, `${name}-weights`);
        await page.getByRole("button", { name: "Cancel" }).click();
        await page.getByRole("button", { name: "Explain" }).click();
        await page.locator(".decision").waitFor();
        await look(page, `${name}-explain`);
        await go(page, "#/sites", "Sites");
        await page.getByRole("article", { name: "Site seattle" }).waitFor();
        await look(page, `${name}-sites`);
        await page.getByRole("button", { name: "Drain seattle…" }).click();
        await page.getByText(/Traffic leaves seattle/).waitFor();
        await look(page, `${name}-drain`);
        await page.keyboard.press("Escape");
        await go(page, "#/audit", "Audit");
        await look(page, `${name}-audit`);
        await go(page, "#/history", "History");
        await page.locator(".lines > li").first().waitFor();
        await look(page, `${name}-history`);
      },
      { look: name, signedIn: false },
    ));
}

test("the theme is chosen, and remembered", () =>
  travel(async (page) => {
    const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const light = await ground();
    await page.getByRole("button", { name: "Theme: system" }).click();
    await page.getByRole("button", { name: "Theme: light" }).click();
    assert.notEqual(await ground(), light);
    await page.reload();
    await page.getByRole("button", { name: "Theme: dark" }).waitFor();
    assert.notEqual(await ground(), light);
  }));
