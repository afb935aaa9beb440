// What the overview makes of what the daemon says; here the tests say it in the daemon's place.

import assert from "node:assert/strict";
import test from "node:test";
import { travel } from "./setup.mjs";

const STATUS = {
  failing_open: [], degraded: [], stale: [], certificates: [], unmatched_overrides: [], ready: true, refused_reload: null,
  geo_database: null, state: { well: true, files: [], set_aside: [] },
};

/** What the overview says of a status: its headline, and its matters in their order. */
function told(page, status, sites = [], profiles = []) {
  return page.evaluate(async (args) => {
    const { troubles, verdict } = await import("/assets/attention.js");
    const [status] = args;
    const matters = troubles(...args);
    return { headline: verdict(status, matters), matters };
  }, [{ ...STATUS, ...status }, sites, profiles]);
}

const failed = (number, endpoint, reason) =>
  Array.from({ length: number }, (_, at) => ({ profile: `p${at}.example.`, endpoint, reason }));

const inFull = (refs, site) => refs.map((it) => ({
  name: it.profile, when_none_healthy: "serve_all",
  endpoints: [{ name: it.endpoint, site, status: "Degraded", enabled: true, since: "2026-01-01T00:00:00Z" }],
}));

test("nothing wrong is said calmly", () => travel(async (page) => {
  const { headline, matters } = await told(page, {});
  assert.deepEqual(headline, { weight: "good", text: "All is well" });
  assert.deepEqual(matters, []);
}));

test("a dead site is one matter, and its drain is offered", () => travel(async (page) => {
  const degraded = failed(40, "seattle", "connect: refused");
  const site = { name: "seattle", endpoints: 40, healthy: 0, drained: false };
  const { headline, matters } = await told(page, { degraded }, [site], inFull(degraded, "seattle"));
  assert.equal(matters.length, 1);
  assert.equal(matters[0].title, "seattle: none of its 40 endpoints is healthy");
  assert.equal(matters[0].drain, "seattle");
  assert.equal(headline.weight, "severe");
}));

test("one endpoint in trouble is no reason to drain its site", () => travel(async (page) => {
  const degraded = failed(1, "seattle", "connect: refused");
  const site = { name: "seattle", endpoints: 10, healthy: 9, drained: false };
  const { headline, matters } = await told(page, { degraded }, [site], inFull(degraded, "seattle"));
  assert.deepEqual(matters.map((it) => [it.title, it.drain]), [["p0.example. seattle is Degraded", undefined]]);
  assert.equal(headline.weight, "bad");
}));

test("many profiles that fail open for one reason are one matter", () => travel(async (page) => {
  const degraded = failed(500, "seattle", "connect: refused");
  const { headline, matters } = await told(page, { degraded, failing_open: degraded.map((it) => it.profile) });
  assert.equal(headline.text, "500 profiles have no healthy endpoint");
  assert.deepEqual(matters.map((it) => it.title), ["500 profiles have no healthy endpoint"]);
}));

test("what the daemon itself is in trouble with is said", () => travel(async (page) => {
  const { headline, matters } = await told(page, {
    refused_reload: { at: "2026-01-01T00:00:00Z", why: "farol.toml: no" },
    state: { well: false, files: [{ file: "overrides", error: "No space left on device", written: null }], set_aside: [] },
  });
  assert.equal(headline.text, "2 things to look after");
  assert.match(matters[0].title, /configuration on the disk was refused/);
  assert.match(matters[1].title, /can't be written: overrides/);
}));

test("changes that undo themselves come first, and are confirmed", () => travel(async (page) => {
  const change = {
    id: 12, by: "ann", reason: "half and half", at: new Date().toISOString(), until: new Date(Date.now() + 300_000).toISOString(),
    needs_confirmation: true, undo_if_worse: true, changes: ["app.gtm.example. seattle: weight 20"],
  };
  const pending = [change];
  await page.route("**/openapi.json", async (route) => {
    const response = await route.fetch();
    const description = await response.json();
    description.paths["/v1/changes"].get = {};
    await route.fulfill({ response, json: description });
  });
  await page.route("**/v1/changes", (route) => route.fulfill({ json: { pending } }));
  const asked = page.waitForRequest("**/v1/changes/12/confirm");
  await page.route("**/v1/changes/12/confirm", (route) => {
    pending.pop();
    return route.fulfill({ json: {} });
  });
  await page.reload();
  const waiting = page.getByRole("region", { name: "Waiting for your word" });
  await waiting.getByText("app.gtm.example. seattle: weight 20").waitFor();
  await waiting.getByText(/undone in [45]:\d\d unless confirmed/).waitFor();
  await waiting.getByRole("button", { name: "Confirm" }).click();
  assert.equal((await asked).method(), "POST");
  await waiting.waitFor({ state: "hidden" });
}));
