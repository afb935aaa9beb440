// A site of the fleet: what isn't as it is wanted there, object by object and field by field.

import { Refusal, get } from "./api.js";
import { factList, h, setText } from "./dom.js";
import { appState, fleetPath, healed } from "./fleet-parts.js";
import { sign, timeTag } from "./format.js";
import { reconcile, setContent } from "./update.js";

/**
 * The page of a site's cluster.
 * @param {string} name the site's
 * @param {string} [only] the app that is shown, if it is one
 */
export function fleetSite(name, only) {
  const heading = only ? `${only} at ${name}` : name;
  const crumb = h("nav", { class: "crumb", "aria-label": "Way here" }, h("a", { href: fleetPath() }, "Fleet"));
  if (only) crumb.append(h("span", null, "›"), h("a", { href: fleetPath(name) }, name));
  const cluster = h("section", { class: "panel summary", "aria-label": "Cluster" });
  const apps = h("div", { class: "page" });
  const none = h("p", { class: "hint", hidden: true });
  return {
    title: heading,
    back: ["Fleet", fleetPath()],
    element: h("div", { class: "page" }, crumb, h("h1", null, heading), cluster, none, apps),
    async load(signal) {
      const site = await get(`/v1/fleet/sites/${encodeURIComponent(name)}`, {}, signal);
      const shown = site.apps.filter((it) => !only || it.app === only);
      const described = appsOf(site);
      if (only && described && !described.includes(only))
        throw new Refusal(404, { detail: `The fleet has no app "${only}" at ${name}.` });
      setContent(cluster, clusterOf(site));
      none.hidden = shown.length > 0;
      setText(none, described?.length === 0 ? "No apps are described for it." : "Not looked at yet.");
      reconcile(
        apps,
        shown,
        (it) => it.app,
        (it) => appPanel(name, it.app),
      );
    },
  };
}

/** The names of the apps that are described for a site; null before its cluster was asked, or that was tried. */
function appsOf({ trouble, answered_at: answered, apps, unseen = [] }) {
  return trouble || answered ? [...apps.map((it) => it.app), ...unseen] : null;
}

function clusterOf({ cluster, trouble, answered_at, unwatched }) {
  const facts = [];
  if (cluster) {
    facts.push(["Kubernetes", cluster.version]);
    if (cluster.nodes !== null) facts.push(["Nodes ready", `${cluster.nodes_ready} of ${cluster.nodes}`]);
    facts.push(["Cluster", cluster.uid]);
  }
  facts.push(["Answered", answered_at ? timeTag(answered_at, "ago") : "never"]);
  return [
    trouble
      ? h(
          "div",
          { class: "problem" },
          sign("severe"),
          h("div", null, h("b", null, trouble.kind), " ", timeTag(trouble.since, "since"), h("p", null, trouble.message)),
        )
      : null,
    factList(facts),
    unwatched ? h("p", { class: "warning" }, sign("bad"), unwatched) : null,
  ];
}

function appPanel(site, name) {
  const element = h("article", { class: "panel", "aria-label": `App ${name}` });
  return {
    element,
    update(app) {
      const facts = [["Looked at", timeTag(app.looked_at, "ago")]];
      if (app.applied_at) facts.push(["Applied", timeTag(app.applied_at, "ago")]);
      facts.push(["Objects as wanted", String(app.unchanged)]);
      if (app.images?.length > 0) facts.push(["Images", app.images.join(", ")]);
      const healing = healed(app.healing);
      if (healing.length > 0) facts.push(["Healing", h("span", { class: "facts" }, healing)]);
      setContent(
        element,
        h("h2", { class: "title-row" }, name, appState(app), h("span", { class: "hint" }, timeTag(app.since, "since"))),
        factList(facts),
        app.error ? h("p", { class: "warning" }, sign("bad"), app.error) : null,
        app.healing.trouble ? h("p", { class: "warning" }, sign("bad"), app.healing.trouble) : null,
        app.differences?.length > 0 ? h("ul", { class: "differences" }, app.differences.map(difference)) : null,
        app.state === "in_sync"
          ? null
          : h("p", { class: "hint command" }, "In full: ", h("code", null, `farol fleet diff --site ${site} --app ${name}`)),
      );
    },
  };
}

const SIGNS = { missing: "severe", refused: "severe", drifted: "bad", extra: "bad", kept: "aside" };

function difference({ object, state, why, fields }) {
  const kind = SIGNS[state] ?? "note";
  return h(
    "li",
    null,
    h("h3", null, object),
    h("span", { class: `status ${kind}` }, sign(kind), state),
    why ? h("div", { class: "why" }, why) : null,
    fields.length > 0
      ? h(
          "table",
          null,
          h("caption", { class: "unseen" }, `Fields of ${object}`),
          h(
            "thead",
            null,
            h(
              "tr",
              null,
              ["Field", "Is → wanted", "By"].map((it) => h("th", { scope: "col" }, it)),
            ),
          ),
          h("tbody", null, fields.map(field)),
        )
      : null,
  );
}

function field({ path, is, wanted, manager }) {
  return h(
    "tr",
    null,
    h("th", { scope: "row" }, path),
    h("td", null, value(is), h("span", { class: "arrow" }, " → "), value(wanted)),
    h("td", null, manager ?? "unknown"),
  );
}

const value = (it) => h("code", null, it === null ? "nothing" : JSON.stringify(it));
