// The fleet's page: one cluster drifts, and another can't be reached. The journeys share a daemon.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import test, { after, before } from "node:test";
import { LOOKS, go, look, start, stop, travel, url } from "./setup.mjs";

const { FLEET_KUBECONFIG, FLEET_KUBECTL } = process.env;

before(start);
after(stop);

function setImage(image) {
  const args = ["--kubeconfig", FLEET_KUBECONFIG, "--namespace=shop", "set", "image", "deployment/web", `web=${image}`];
  execFileSync(FLEET_KUBECTL, args);
}

const rowOf = (page, site) => page.locator(".fleet tbody tr").filter({ has: page.getByRole("rowheader", { name: site }) });

test("the fleet is found, and a cluster that can't be reached is told", () =>
  travel(async (page) => {
    await page.getByRole("link", { name: "Fleet" }).click();
    await page.getByRole("heading", { name: "Fleet", level: 1 }).waitFor();
    assert.equal(await page.getByRole("link", { name: "Fleet" }).getAttribute("aria-current"), "page");
    await page.getByText("1 of 2 sites in step · 1 cluster can't be worked with").waitFor();
    await page.getByText("Drift is only told (report)").waitFor();
    await rowOf(page, "orlando").getByText("unreachable").waitFor();
    await rowOf(page, "seattle").getByText("in sync").waitFor();
    await page.getByRole("link", { name: "orlando" }).click();
    await page.getByRole("heading", { name: "orlando", level: 1 }).waitFor();
    await page.locator(".problem").getByText("unreachable", { exact: true }).waitFor();
    await page.goBack();
    await rowOf(page, "seattle").getByText("in sync").waitFor();
    await page.keyboard.press("g");
    await page.keyboard.press("o");
    await page.getByRole("heading", { name: "Profiles" }).waitFor();
    await page.keyboard.press("g");
    await page.keyboard.press("f");
    await page.getByRole("heading", { name: "Fleet", level: 1 }).waitFor();
  }));

test("what drifts shows by itself, with field and manager", () =>
  travel(async (page) => {
    await go(page, "#/fleet", "Fleet");
    const seattle = rowOf(page, "seattle");
    await seattle.getByText("in sync").waitFor();
    setImage("web:7");
    await seattle.getByRole("link", { name: "drifted (1)" }).click();
    await page.getByRole("heading", { name: "shop at seattle", level: 1 }).waitFor();
    const app = page.getByRole("article", { name: "App shop" });
    await app.getByRole("heading", { name: "Deployment shop/web" }).waitFor();
    await app.getByRole("row", { name: /containers\[web\]\.image "web:7" → "web:1" kubectl-set/ }).waitFor();
    await app.getByText("farol fleet diff --site seattle --app shop").waitFor();
    setImage("web:1");
    await app.getByText("in sync").waitFor();
    setImage("web:7");
    await app.getByText("drifted (1)").waitFor();
  }));

for (const name of Object.keys(LOOKS)) {
  test(`the fleet's pages are well made: ${name}`, () =>
    travel(
      async (page) => {
        await go(page, "#/fleet", "Fleet");
        await rowOf(page, "seattle").getByText("drifted").waitFor();
        await look(page, `${name}-fleet`);
        await go(page, "#/fleet/seattle", "seattle");
        await page.getByRole("heading", { name: "Deployment shop/web" }).waitFor();
        await look(page, `${name}-fleet-site`);
        await go(page, "#/fleet/orlando", "orlando");
        await page.locator(".problem").waitFor();
        await look(page, `${name}-fleet-trouble`);
      },
      { look: name },
    ));
}

test("what is mistyped in the address is said, with a way back", () =>
  travel(
    async (page) => {
      const at = (fragment) => page.goto(`${url}/${fragment}`);
      await at("#/fleet/seatle");
      await page.getByRole("alert").getByText('the fleet has no site "seatle"').waitFor();
      await page.getByRole("alert").getByRole("link", { name: "Fleet" }).click();
      await page.getByRole("heading", { name: "Fleet", level: 1 }).waitFor();
      await at("#/fleet/seattle/shp");
      await page.getByRole("alert").getByText('The fleet has no app "shp" at seattle.').waitFor();
      await look(page, "fleet-mistyped");
      await page.getByRole("alert").getByRole("link", { name: "Fleet" }).click();
      await rowOf(page, "seattle").waitFor();
      // Nothing was seen of a cluster that was never reached, but what is described for it is no slip.
      await go(page, "#/fleet/orlando/shop", "shop at orlando");
      await page.getByText("Not looked at yet.").waitFor();
    },
    { expected: /status of 40[14]/ },
  ));

const AT = "2026-01-01T00:00:00Z";

/** What the daemon would say of a site, but for this. */
const siteOf = (site, more) => ({
  site,
  cluster: { uid: `uid-${site}`, version: "v1.31.0", nodes: 5, nodes_ready: 4 },
  trouble: null,
  answered_at: AT,
  apps: [],
  ...more,
});

test("a site without apps is in step while its cluster can be worked with", () =>
  travel(async (page) => {
    const trouble = { kind: "forbidden", message: "It may not.", since: AT };
    const sites = [
      siteOf("bare"),
      siteOf("unasked", { cluster: null, answered_at: null }),
      siteOf("begun", { unseen: ["shop"] }),
      siteOf("lost", { trouble }),
    ];
    await page.route("**/v1/fleet", (route) => route.fulfill({ json: { drift: "report", sites, skewed: [] } }));
    await go(page, "#/fleet", "Fleet");
    await page.getByText("1 of 4 sites in step · 1 cluster can't be worked with").waitFor();
  }));

test("a description that is not taken is told with its reason", () =>
  travel(async (page) => {
    const trouble = { kind: "refused", message: "FleetApp farol/shop: apps[shop].sites[#1]: no such site", since: AT };
    let sites = [siteOf("seattle")];
    let drift = "report";
    await page.route("**/v1/fleet", (route) => route.fulfill({ json: { drift, trouble, sites, skewed: [] } }));
    await go(page, "#/fleet", "Fleet");
    const alert = page.getByRole("alert");
    await alert.getByText(trouble.message).waitFor();
    await alert.getByText("What was in force before still is.").waitFor();
    await page.getByText("1 of 1 site in step").waitFor();
    await look(page, "fleet-refused");
    [drift, sites] = [null, []];
    await alert.getByText("Nothing is in force.").waitFor();
    assert.equal(await page.getByText("No fleet is described").isVisible(), false);
  }));

test("on a phone, what is long stays in its column", () =>
  travel(
    async (page) => {
      const trouble = { kind: "wrong cluster", message: "Its UID is another.", since: AT };
      const app = { app: "shop", state: "in_sync", since: AT, looked_at: AT, different: 0, healing: { times: 0 } };
      const long = siteOf("a-site-with-a-name-as-long-as-names-may-be-which-is-63-of-a-to-z", { trouble, apps: [app] });
      const unwatched = "It may not watch.";
      const sites = [siteOf("seattle", { trouble, unwatched, apps: [app] }), long];
      await page.route("**/v1/fleet", (route) => route.fulfill({ json: { drift: "report", sites, skewed: [] } }));
      await go(page, "#/fleet", "Fleet");
      const heads = page.locator(".fleet tbody th");
      await heads.nth(1).waitFor();
      const over = await heads.evaluateAll((all) =>
        all.flatMap((head) => {
          const end = head.getBoundingClientRect().right;
          return [...head.querySelectorAll("*")].filter((it) => it.getBoundingClientRect().right > end).map((it) => it.outerHTML);
        }),
      );
      assert.deepEqual(over, []);
      await look(page, "phone-fleet-long");
    },
    { look: "phone" },
  ));

/** What the daemon would say of many sites and apps, with everything that can be wrong. */
function large(drifted) {
  const healing = { times: 2, last: AT, next: AT, trouble: null };
  const states = ["in_sync", "in_sync", "outdated", "unknown"];
  const app = (site) => (_, number) => ({
    app: `app-${number}`,
    state: site === 0 && number === 0 && drifted ? "drifted" : states[(site + number) % states.length],
    since: AT,
    looked_at: AT,
    applied_at: AT,
    error: null,
    unchanged: 7,
    different: (site + number) % 3,
    healing: number === 3 ? healing : { times: 0, last: null, next: null, trouble: null },
  });
  const trouble = { kind: "forbidden", message: "It may not.", since: AT };
  const site = (_, number) =>
    siteOf(`site-${number}`, {
      trouble: number === 7 ? trouble : null,
      apps: Array.from({ length: 20 }, app(number)),
    });
  const images = ["a", "b"].map((it) => ({ site: `site-${it}`, images: [`registry.example/app:${it}`] }));
  return { drift: "heal", sites: Array.from({ length: 50 }, site), skewed: [{ app: "app-1", sites: images }] };
}

test("a large fleet stays readable, and only what changed is drawn again", () =>
  travel(async (page) => {
    let drifted = false;
    await page.route("**/v1/fleet", (route) => route.fulfill({ json: large(drifted) }));
    await go(page, "#/fleet", "Fleet");
    await page.getByText("app-1 is not the same everywhere").waitFor();
    assert.equal(await page.locator(".fleet tbody td").count(), 1000);
    await look(page, "large-fleet");
    const frame = page.locator(".fleet");
    await frame.evaluate((it) => it.scrollTo(800, 900));
    const [frameBox, corner] = [await frame.boundingBox(), await page.getByRole("columnheader", { name: "Site" }).boundingBox()];
    assert.ok(Math.abs(corner.x - frameBox.x) < 3 && Math.abs(corner.y - frameBox.y) < 3, "the headers stay");
    await page.screenshot({ path: `${process.env.SCREENSHOTS}/large-fleet-scrolled.png` });
    await page.evaluate(() => {
      window.redrawn = new Set();
      const note = ({ target }) => {
        const cell = target.nodeType === 1 && target.closest("td, th");
        if (cell && !target.closest("time")) window.redrawn.add(cell);
      };
      new MutationObserver((all) => all.forEach(note)).observe(document.querySelector(".fleet tbody"), {
        childList: true,
        subtree: true,
      });
    });
    drifted = true;
    await page.getByText("drifted").waitFor();
    const redrawn = await page.evaluate(() => [...window.redrawn].map((it) => it.textContent));
    assert.equal(redrawn.length, 1, redrawn);
  }));
