// What is lost: connections, which come back, and sessions, which end.

import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import test from "node:test";
import { go, signIn, token, travel, url } from "./setup.mjs";

/** A way to the daemon that can be cut. */
class Way {
  #sockets = new Set();

  async open(port = 0) {
    const { hostname, port: daemon } = new URL(url);
    this.server = net.createServer((near) => {
      const far = net.connect(Number(daemon), hostname);
      for (const it of [near, far]) {
        this.#sockets.add(it);
        it.on("error", () => {});
        it.on("close", () => (this.#sockets.delete(it), near.destroy(), far.destroy()));
      }
      near.pipe(far).pipe(near);
    });
    this.server.listen(port, "127.0.0.1");
    await once(this.server, "listening");
    this.port = this.server.address().port;
  }

  async cut() {
    const closed = once(this.server, "close");
    this.server.close();
    for (const it of this.#sockets) it.destroy();
    await closed;
  }
}

test("a dropped connection shows, and recovers by itself", async () => {
  const way = new Way();
  await way.open();
  try {
    await travel(async (page) => {
      await go(page, "#/profiles/app.gtm.example.", "app.gtm.example.");
      await page.getByText("Live", { exact: true }).waitFor();
      await way.cut();
      await page.getByText(/^Reconnecting…, as of \d\d:\d\d:\d\d$/).waitFor();
      // What was known stays to be read.
      await page.getByRole("article", { name: "Endpoint seattle" }).waitFor();
      await way.open(way.port);
      await page.getByText("Live", { exact: true }).waitFor();
    }, { at: `http://127.0.0.1:${way.port}`, expected: /status of 401|net::ERR/ });
  } finally {
    await way.cut();
  }
});

test("a viewer looks, and is told why not more", () => travel(async (page) => {
  const secret = await page.evaluate(async () => {
    const body = JSON.stringify({ name: "eve", role: "viewer", expires: "1h" });
    const response = await fetch("/v1/tokens", { method: "POST", headers: { "content-type": "application/json" }, body });
    return (await response.json()).secret;
  });
  await page.getByRole("button", { name: "Sign out" }).click();
  await signIn(page, secret);
  await go(page, "#/profiles/app.gtm.example.", "app.gtm.example.");
  await page.getByText("You are signed in as a viewer. Changes take an operator.").waitFor();
  const endpoint = page.getByRole("article", { name: "Endpoint seattle" });
  assert.ok(await endpoint.getByRole("button", { name: "Drain seattle…" }).isDisabled());
  assert.ok(await endpoint.getByRole("slider").isDisabled());
}));

test("who is signed out sees nothing any more", () => travel(async (page) => {
  await go(page, "#/sites", "Sites");
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByText("You are signed out.").waitFor();
  assert.equal(await page.getByRole("article").count(), 0);
  const status = await page.evaluate(async () => (await fetch("/v1/status")).status);
  assert.equal(status, 401);
}));

test("a session that ends elsewhere asks to sign in, and goes on at the same page", () => travel(async (page) => {
  await go(page, "#/sites", "Sites");
  await page.evaluate(() => fetch("/v1/session", { method: "DELETE" }));
  await page.getByText("The session is over.").waitFor();
  await page.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Sites", level: 1 }).waitFor();
}));
