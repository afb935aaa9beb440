// The fleet: how every app is on every site, at a glance.

import { get } from "./api.js";
import { h, setText } from "./dom.js";
import { appState, fleetPath, healed } from "./fleet-parts.js";
import { fleetSite } from "./fleet-site.js";
import { several, sign, timeTag } from "./format.js";
import { reconcile, setContent } from "./update.js";

/** How often a fleet is looked up again, in milliseconds. */
const PERIOD = 2000;

/**
 * The page of the fleet, or of one of its sites.
 * @param {{params: string[]}} page a site and an app of it, or neither
 */
export function fleet({ params: [site, app] }) {
  return { ...(site ? fleetSite(site, app) : matrix()), period: PERIOD };
}

function matrix() {
  const verdict = h("div", { class: "verdict", role: "status" });
  const facts = h("div", { class: "facts" });
  const summary = h("section", { class: "attention", "aria-label": "Summary" }, verdict, facts);
  const skewed = h("ul", { class: "lines" });
  const skews = h(
    "section",
    { class: "panel", "aria-labelledby": "skewed-title", hidden: true },
    h("h2", { id: "skewed-title" }, "Not the same everywhere"),
    skewed,
  );
  const columns = h("tr");
  const rows = h("tbody");
  const table = h(
    "div",
    { class: "panel fleet", role: "region", tabindex: 0, "aria-label": "Apps by site", hidden: true },
    h(
      "table",
      null,
      h("caption", { class: "unseen" }, "Sites with their clusters, and how each app is there"),
      h("thead", null, columns),
      rows,
    ),
  );
  const refused = h("div", { class: "problem", role: "alert", hidden: true });
  const none = h("p", { class: "hint" }, "No fleet is described: the configuration has no ", h("code", null, "[fleet]"), ".");
  return {
    title: "Fleet",
    element: h("div", { class: "page" }, h("h1", null, "Fleet"), none, refused, summary, skews, table),
    async load(signal) {
      const now = await get("/v1/fleet", {}, signal);
      const { drift, sites, trouble } = now;
      none.hidden = drift !== null || Boolean(trouble);
      refused.hidden = !trouble;
      setContent(refused, trouble ? notInForce(trouble, drift) : []);
      summary.hidden = drift === null;
      table.hidden = sites.length === 0;
      skews.hidden = now.skewed.length === 0;
      summary.dataset.weight = sum(verdict, now);
      setText(facts, drift === "heal" ? "Drift is put back (heal)" : "Drift is only told (report)");
      reconcile(skewed, now.skewed, (it) => it.app, skewLine);
      const apps = [...new Set(sites.flatMap((it) => it.apps.map(({ app }) => app)))];
      reconcile(columns, ["Site", ...apps.map((it) => `app ${it}`)], (it) => it, column);
      reconcile(
        rows,
        sites.map((site) => ({ site, apps })),
        (it) => it.site.site,
        row,
      );
    },
  };
}

/** Why what is described isn't in force, where it is custom resources. */
function notInForce({ message, since }, drift) {
  const kept = drift === null ? "Nothing is in force." : "What was in force before still is.";
  return [sign("severe"), h("div", null, h("b", null, "The fleet's description is not taken, ", timeTag(since, "since"), ". ", kept), h("div", null, message))];
}

/** Sums a fleet up, and tells of what weight that is. */
function sum(verdict, { sites, skewed }) {
  const isAsked = (it) => !it.trouble && it.answered_at !== null && !it.unseen;
  const inStep = (it) => isAsked(it) && it.apps.every(({ state }) => state === "in_sync");
  const well = sites.filter(inStep).length;
  const lost = sites.filter((it) => it.trouble).length;
  const told = [`${well} of ${several(sites.length, "site")} in step`];
  if (lost > 0) told.push(`${several(lost, "cluster")} can't be worked with`);
  if (skewed.length > 0) {
    const names = skewed.map((it) => it.app).join(", ");
    told.push(`${names} ${skewed.length === 1 ? "is" : "are"} not the same everywhere`);
  }
  const weight = lost > 0 ? "severe" : well < sites.length || skewed.length > 0 ? "bad" : "good";
  setContent(verdict, sign(weight), h("p", null, h("b", null, told.join(" · "))));
  return weight;
}

function skewLine() {
  const element = h("li");
  return {
    element,
    update({ app, sites }) {
      const images = sites.map((it) => h("div", null, h("dt", null, it.site), h("dd", null, it.images.join(", "))));
      setContent(element, h("b", null, app), h("dl", { class: "facts-list" }, images));
    },
  };
}

function column(key) {
  return { element: h("th", { scope: "col" }, key.replace(/^app /, "")), update() {} };
}

/** A child that is only built anew when what it shows has changed. */
function kept(element, build) {
  let before = null;
  return {
    element,
    update(item) {
      const after = JSON.stringify(item);
      if (after === before) return;
      before = after;
      setContent(element, build(item));
    },
  };
}

function row() {
  const head = kept(h("th", { scope: "row" }), siteHead);
  const element = h("tr");
  const cell = () => kept(h("td"), appCell);
  return {
    element,
    update({ site, apps }) {
      const { site: name, cluster, trouble, answered_at, unwatched } = site;
      // When a cluster that is well answered last changes all the time, and says nothing.
      head.update({ name, cluster, trouble, unwatched, answered: trouble ? answered_at : answered_at !== null });
      const there = new Map(site.apps.map((it) => [it.app, it]));
      const lost = trouble !== null;
      const cells = apps.map((app) => ({ key: app, site: name, lost, ...shown(there.get(app), lost) }));
      reconcile(element, [null, ...cells], (it) => it?.key ?? "", (it) => (it ? cell() : { element: head.element, update() {} }));
    },
  };
}

/** What a cell shows of an app: when it was looked at only where that is long ago. */
function shown(app, lost) {
  if (!app) return {};
  const { state, since, looked_at, different, healing, error } = app;
  return { app: { app: app.app, state, since, different, healing, error }, seen: lost ? looked_at : null };
}

function siteHead({ name, cluster, trouble, unwatched, answered }) {
  const { version, nodes, nodes_ready } = cluster ?? {};
  const ready = nodes === null || nodes === undefined ? "" : ` · ${nodes_ready} of ${several(nodes, "node")} ready`;
  return [
    h("a", { href: fleetPath(name) }, name),
    cluster ? h("div", { class: "hint" }, `${version}${ready}`) : null,
    trouble
      ? h("div", { class: "status severe", title: trouble.message }, sign("severe"), `${trouble.kind} `, timeTag(trouble.since, "since"))
      : null,
    trouble && answered ? h("div", { class: "hint" }, "answered ", timeTag(answered, "ago")) : null,
    !trouble && !answered ? h("div", { class: "hint" }, "not asked yet") : null,
    unwatched ? h("div", { class: "warning", title: unwatched }, sign("bad"), "partly unwatched") : null,
  ];
}

function appCell({ site, lost, app, seen }) {
  if (!app) return [h("span", { class: "hint" }, "–", h("span", { class: "unseen" }, " nothing seen"))];
  return [
    h("a", { href: fleetPath(site, app.app) }, appState(app)),
    app.state === "outdated" ? h("div", { class: "hint" }, "to be applied") : null,
    h("div", { class: "hint" }, lost ? ["seen ", timeTag(seen, "ago")] : timeTag(app.since, "since")),
    app.error ? h("div", { class: "hint reason", title: app.error }, app.error) : null,
    healed(app.healing).map((it) => h("div", { class: "hint" }, it)),
  ];
}
