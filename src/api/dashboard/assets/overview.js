// The overview: what is wrong, what operators have put in force, and every profile.

import { get, offers, profilePath, whyNot } from "./api.js";
import { troubles, verdict } from "./attention.js";
import { button, h, setText } from "./dom.js";
import { several, sign, status as statusOf, timeTag } from "./format.js";
import { planDrain, planEndpoint, planFailback } from "./moves.js";
import { pendingList } from "./pending.js";
import { profileTable } from "./profiles.js";
import { drainProgress } from "./sites.js";
import { reconcile, setContent } from "./update.js";

const MOST_MATTERS = 12;
const MOST_PLACES = 8;
const IN_FULL = 100;

/**
 * The overview.
 * @param {{refresh: () => void, reveal: () => void, query: URLSearchParams}} page `refresh` has `load` called again; `reveal`
 *   shows the page before all of it is there; `query` may have filters
 */
export function overview({ refresh, reveal, query }) {
  const headline = h("h1", { id: "verdict", class: "verdict" }, h("span", { class: "hint" }, "Looking what is wrong…"));
  const facts = h("div", { class: "facts" });
  const matters = h("ul", { class: "matters" });
  const others = h("p", { class: "hint" });
  const trouble = h("section", { class: "attention", "aria-labelledby": "verdict" }, headline, facts, matters, others);
  const pending = pendingList(refresh);
  const forced = h("ul", { class: "matters" });
  const force = h("section", { class: "panel", hidden: true, "aria-labelledby": "force-title" },
    h("h2", { id: "force-title" }, "In force by operators"), forced);
  const table = profileTable(refresh);
  table.filter(Object.fromEntries(query));

  async function load(signal) {
    const rows = get("/v1/profiles", table.query(), signal).then((page) => {
      table.update(page);
      reveal();
      return page;
    });
    const [status, page, { sites }, waiting] = await Promise.all([
      get("/v1/status", {}, signal), rows, get("/v1/sites", {}, signal), pendingOnes(signal),
    ]);
    const inFull = await troubled(status, page.profiles, signal);
    table.fill(status, sites);
    pending.update(waiting);
    const wrong = troubles(status, sites, inFull);
    showVerdict(verdict(status, wrong), status);
    reconcile(matters, wrong.slice(0, MOST_MATTERS), (it) => `${it.key} ${it.drain}`, (it) => matterItem(it, refresh, table));
    setText(others, wrong.length > MOST_MATTERS ? `and ${several(wrong.length - MOST_MATTERS, "more matter")}: look at the profiles by status` : "");
    const inForce = forces(status, sites, inFull);
    force.hidden = inForce.length === 0;
    reconcile(forced, inForce, (it) => it.key, (it) => forceItem(it, refresh));
  }

  function showVerdict({ weight, text }, status) {
    setContent(headline, sign(weight), h("span", null, text));
    trouble.dataset.weight = weight;
    const order = Object.entries(status.endpoints).sort((a, b) => b[1] - a[1]);
    setContent(facts, h("span", null, several(status.profiles, "profile")),
      order.map(([label, number]) => h("span", null, statusOf(label), " ", h("b", null, String(number)))),
      h("span", { class: "hint" }, "up ", timeTag(status.started, "since")));
  }

  return { title: "Overview", element: h("div", { class: "page" }, pending.element, trouble, force, table.element), load };
}

/** Those in trouble, as far as they are told of, in full. */
async function troubled(status, known, signal) {
  const degraded = status.degraded.length > 0 ? (await get("/v1/profiles", { status: "Degraded", limit: IN_FULL }, signal)).profiles : [];
  const all = new Map([...known, ...degraded].map((it) => [it.name, it]));
  const missing = status.failing_open.slice(0, MOST_MATTERS).filter((it) => !all.has(it));
  const others = await Promise.all(missing.map((it) => get(profilePath(it), {}, signal)));
  return [...all.values(), ...others];
}

async function pendingOnes(signal) {
  const { pending } = await offers().catch(() => ({}));
  return pending ? (await get("/v1/changes", {}, signal)).pending : [];
}

const linkTo = ({ profile, endpoint }) =>
  h("a", { href: `#/profiles/${encodeURIComponent(profile)}` }, endpoint ? `${profile} ${endpoint}` : profile);

function matterItem({ weight, drain }, refresh, table) {
  const what = h("div", { class: "what" });
  const actions = h("div", { class: "actions" });
  if (drain) {
    actions.append(button(`Drain ${drain}…`, () => planDrain(drain, true, refresh), {
      disabled: whyNot() !== null, title: whyNot() ?? "Shows first what would happen",
    }));
  }
  return {
    element: h("li", { class: weight }, sign(weight), what, actions),
    update(matter) {
      const where = matter.where ?? [];
      const single = where.length === 1;
      const title = single ? h("a", { href: linkTo(where[0]).href }, matter.title) : matter.title;
      setContent(what, h("div", { class: "title" }, h("b", null, title), " ",
        matter.since ? h("span", { class: "hint" }, timeTag(matter.since, "since")) : null),
      matter.text ? h("div", { class: "why" }, matter.text) : null,
      single || where.length === 0 ? null : h("div", { class: "where" }, where.slice(0, MOST_PLACES).map(linkTo),
        where.length > MOST_PLACES ? h("span", { class: "hint" }, `and ${where.length - MOST_PLACES} more`) : null));
    },
  };
}

/** What operators have put in force: drains, failbacks that wait, and overrides with their owners and ends. */
function forces(status, sites, profiles) {
  const drains = sites.filter((it) => it.drained).map((site) => ({ key: `drain ${site.name}`, site }));
  const names = new Set(profiles.map((it) => it.name));
  const waiting = profiles.filter((it) => it.awaits_failback).map((profile) => ({ key: `failback ${profile.name} ${profile.etag}`, failback: profile }));
  const more = (status.awaiting_failback ?? []).filter((it) => !names.has(it))
    .map((name) => ({ key: `failback ${name}`, failback: { name } }));
  const overrides = status.overridden.slice(0, IN_FULL).flatMap(({ profile, endpoint, overrides }) =>
    overrides.map((it) => ({ key: `over ${profile} ${endpoint} ${it.field}`, profile, endpoint, override: it })));
  return [...drains, ...waiting, ...more, ...overrides];
}

function forceItem(first, refresh) {
  const what = h("div", { class: "what" });
  const actions = h("div", { class: "actions" });
  const props = { disabled: whyNot() !== null, title: whyNot() ?? "Shows first what would happen" };
  const { site, failback, override } = first;
  if (site) actions.append(button(`Bring ${site.name} back…`, () => planDrain(site.name, false, refresh), props));
  if (failback?.etag) actions.append(button("Fail back…", () => planFailback(failback, refresh), props));
  if (override) {
    const clear = async () => planEndpoint(await get(profilePath(first.profile)), first.endpoint,
      { [override.field]: null }, `Clear the ${override.field} of ${first.endpoint}`, refresh);
    actions.append(button("Clear…", clear, { ...props, "aria-label": `Clear… the ${override.field} of ${first.endpoint} in ${first.profile}` }));
  }
  return {
    element: h("li", { class: "note" }, sign(site ? "aside" : "note"), what, actions),
    update(it) {
      if (it.site) setContent(what, drainProgress(it.site));
      else if (it.failback) {
        setContent(what, h("div", { class: "title" }, h("b", null, linkTo({ profile: it.failback.name })),
          " awaits failback: an endpoint of higher priority has recovered"));
      } else setContent(what, overrideText(it));
    },
  };
}

function overrideText({ profile, endpoint, override }) {
  return [h("div", { class: "title" }, linkTo({ profile, endpoint }), " ", h("b", null, `${override.field} ${override.value}`)),
    h("div", { class: "why" }, `by ${override.by} `, timeTag(override.at, "ago"), override.reason ? `: ${override.reason}` : "",
      " · ", override.expires ? ["ends ", timeTag(override.expires, "until")] : "stays until it is cleared")];
}
