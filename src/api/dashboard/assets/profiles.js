// The table of profiles, by filters and in pages.

import { button, field, h, setText } from "./dom.js";
import { rate, sign, status, several } from "./format.js";
import { look, rates, total } from "./rates.js";
import { shareBar } from "./shares.js";
import { reconcile, setContent } from "./update.js";

/** Profiles of a page. */
export const PAGE = 50;
const MOST = 1000;
const STATES = ["Online", "Degraded", "CheckingEndpoints", "Inactive", "Disabled", "Drained", "Stopped", "Unmonitored"];

/**
 * The table, with its filters.
 * @param {() => void} changed other profiles are wanted
 * @returns {{element: HTMLElement, query: () => object, update: (page: object) => void, fill: (status: object, sites:
 *   object[]) => void, filter: (wanted: object) => void}} `query` is what to ask the API for, `filter` presets it
 */
export function profileTable(changed) {
  let limit = PAGE;
  const again = () => {
    limit = PAGE;
    changed();
  };
  let typing = 0;
  const text = h("input", { type: "search", "data-filter": true, placeholder: "name or endpoint", autocomplete: "off",
    on: { input: () => (clearTimeout(typing), (typing = setTimeout(again, 150))) } });
  const choice = (values) => h("select", { on: { change: again } }, options(values));
  const state = choice(STATES);
  const zone = choice([]);
  const site = choice([]);
  const rows = h("tbody");
  const note = h("p", { class: "hint", role: "status" });
  const more = button("More", () => ((limit = Math.min(limit + PAGE * 2, MOST)), changed()), { hidden: true });
  const clear = button("Clear the filters", () => {
    text.value = state.value = zone.value = site.value = "";
    again();
    text.focus();
  }, { class: "quiet", hidden: true });
  const element = h("section", { class: "panel", "aria-labelledby": "profiles-title" },
    h("div", { class: "bar-of-filters" }, h("h2", { id: "profiles-title" }, "Profiles"),
      h("form", { class: "filters", role: "search", on: { submit: (event) => event.preventDefault() } },
        field("Text", text), field("Status", state), field("Zone", zone), field("Site", site), clear)),
    h("table", { class: "profiles" },
      h("caption", { class: "unseen" }, "Profiles with their status, the share of each endpoint and answers per second"),
      h("thead", null, h("tr", null, ["Status", "Profile", "Share of the answers"].map((it) => h("th", { scope: "col" }, it)),
        h("th", { scope: "col", class: "number" }, "Answers"), h("th", { scope: "col" }, "In force"))), rows),
    note, more);
  const filters = () => [text, state, zone, site].map((it) => it.value.trim());
  return {
    element,
    query() {
      const [words, wanted, ofZone, ofSite] = filters();
      return { limit, text: words, status: wanted, zone: ofZone, site: ofSite };
    },
    update({ profiles, next }) {
      profiles.forEach(look);
      reconcile(rows, profiles, (it) => it.name, row);
      const filtered = filters().some(Boolean);
      clear.hidden = !filtered;
      more.hidden = !next || limit >= MOST;
      const rest = limit >= MOST ? "Narrow it down to see others." : "";
      setText(note, profiles.length === 0
        ? filtered ? "No profile fits these filters." : "There are no profiles."
        : next ? `The first ${several(profiles.length, "profile")}. ${rest}` : several(profiles.length, "profile"));
    },
    fill({ zones }, sites) {
      refill(zone, zones);
      refill(site, sites.map((it) => it.name));
    },
    filter(wanted) {
      text.value = wanted.text ?? "";
      for (const [control, value] of [[state, wanted.status], [zone, wanted.zone], [site, wanted.site]]) {
        if (value && ![...control.options].some((it) => it.value === value)) control.append(h("option", { value }, value));
        control.value = value ?? "";
      }
    },
  };
}

const options = (values) =>
  [h("option", { value: "" }, "any"), ...values.map((it) => h("option", { value: it }, it.replace("Endpoints", "")))];

function refill(select, values) {
  const before = [...select.options].slice(1).map((it) => it.value);
  if (before.join() === values.join()) return;
  const { value } = select;
  select.replaceChildren(...options(values));
  select.value = value;
}

function row(first) {
  const [state, shares, answers, force] = [h("td"), h("td"), h("td", { class: "number" }), h("td", { class: "force" })];
  const method = h("span", { class: "hint" });
  const name = h("th", { scope: "row" },
    h("a", { href: `#/profiles/${encodeURIComponent(first.name)}` }, first.name), method);
  return {
    element: h("tr", null, state, name, shares, answers, force),
    update(profile) {
      setContent(state, status(profile.status),
        profile.fail_open ? h("span", { class: "status severe" }, sign("severe"), "failing open") : null);
      setText(method, profile.method);
      setContent(shares, shareBar(profile.endpoints));
      setText(answers, rate(total(rates(profile))));
      setContent(force, inForce(profile));
    },
  };
}

/**
 * What operators have put in force in a profile, in a few words.
 * @param {object} profile as the API tells it
 * @returns {HTMLElement[]}
 */
export function inForce(profile) {
  const own = (profile.overrides ?? []).map((it) => [profile.name, it]);
  const all = [...own, ...profile.endpoints.flatMap((it) => it.overrides.map((over) => [it.name, over]))];
  const chips = all.map(([name, it]) => h("span", { class: "chip", title: `by ${it.by}${it.reason ? `: ${it.reason}` : ""}` },
    `${name} ${it.field} ${it.value}`));
  const drained = new Set(profile.endpoints.filter((it) => it.drained).map((it) => it.site ?? it.name));
  chips.push(...[...drained].map((it) => h("span", { class: "chip" }, `${it} drained`)));
  if (profile.awaits_failback) chips.push(h("span", { class: "chip" }, "awaits failback"));
  return chips;
}
