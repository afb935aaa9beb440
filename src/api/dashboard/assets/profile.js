// One profile: what it answers and why, its endpoints, and what can be done with them.

import { get, offers, profilePath, whyNot } from "./api.js";
import { button, factList, h } from "./dom.js";
import { sign, status } from "./format.js";
import { endpointCard } from "./endpoint.js";
import { explainForm } from "./explain.js";
import { planFailback, planProfile } from "./moves.js";
import { look, rates, total } from "./rates.js";
import { shareBar } from "./shares.js";
import { WINDOWS, turnLine } from "./timeline.js";
import { reconcile, setContent } from "./update.js";
import { weightPlan } from "./weights.js";

const TURNS_SHOWN = 12;

/**
 * The page of a profile.
 * @param {{refresh: () => void, params: string[]}} page `params` has the profile's name
 */
export function profilePage({ refresh, params: [name] }) {
  let profile = null;
  let turns = [];
  let turned = "";
  let window = WINDOWS[0][1];
  const page = { profile: () => profile, refresh };
  const weights = weightPlan(page);
  page.weights = weights;
  const [head, facts, bar] = [h("div", { class: "title-row" }), h("div"), h("div")];
  const deeds = h("div", { class: "actions wrap" });
  const endpoints = h("div", { class: "endpoints" });
  const history = h("ol", { class: "lines" });
  const windows = h("div", { class: "choice", role: "group", "aria-label": "What the strips show" },
    WINDOWS.map(([label, length]) => button(label, () => ((window = length), show()), { "data-window": length })));
  const element = h("div", { class: "page" },
    h("p", { class: "crumb" }, h("a", { href: "#/" }, "Overview")), head, h("section", { class: "panel summary", "aria-label": "Summary" }, bar, facts, deeds),
    h("div", { class: "title-row" }, h("h2", null, "Endpoints"), windows),
    endpoints, weights.element, explainForm(name),
    h("section", { class: "panel", "aria-labelledby": "history-title" },
      h("div", { class: "title-row" }, h("h2", { id: "history-title" }, "History"),
        h("a", { href: `#/history?profile=${encodeURIComponent(name)}` }, "All of it"),
        h("a", { href: `#/audit?profile=${encodeURIComponent(name)}` }, "Who changed it")),
      history));

  async function load(signal) {
    profile = await get(profilePath(name), {}, signal);
    look(profile);
    const latest = profile.endpoints.map((it) => it.since).join();
    if (latest !== turned) {
      ({ turns } = await get("/v1/history", { profile: profile.name, limit: 1000 }, signal));
      turned = latest;
    }
    show();
  }

  function show() {
    if (!profile) return;
    setContent(head, h("h1", null, profile.name), status(profile.status),
      profile.fail_open ? h("span", { class: "status severe" }, sign("severe"), "failing open") : null);
    setContent(bar, shareBar(profile.endpoints));
    setContent(facts, factList(factsOf(profile)));
    showDeeds();
    const perSecond = rates(profile);
    const shown = profile.endpoints.map((endpoint, at) => ({
      endpoint, at, rate: perSecond[at], total: total(perSecond) ?? 0, window, method: profile.method,
      turns: turns.filter((it) => it.endpoint === endpoint.name).map((it) => it.turn).reverse(),
    }));
    reconcile(endpoints, shown, (it) => it.endpoint.name, (it) => endpointCard(page, it.endpoint.name));
    weights.update();
    for (const it of windows.children) it.setAttribute("aria-pressed", String(Number(it.dataset.window) === window));
    setContent(history, turns.length === 0 ? h("li", { class: "hint" }, "No endpoint has come into another status yet.")
      : turns.slice(0, TURNS_SHOWN).map((it) => h("li", null, turnLine(it.turn, h("b", null, it.endpoint)))));
  }

  let offered = "";
  async function showDeeds() {
    const { profiles } = await offers().catch(() => ({}));
    const over = profile.overrides?.some((it) => it.field === "enabled");
    const key = [profile.awaits_failback, profile.failback, profile.enabled, over, profiles].join();
    if (key === offered) return;
    offered = key;
    const props = { disabled: whyNot() !== null, title: whyNot() ?? "Shows first what would happen" };
    deeds.replaceChildren(
      ...(profile.failback === "manual" ? [button("Fail back…", () => planFailback(profile, refresh), {
        ...props, disabled: props.disabled || !profile.awaits_failback,
        title: whyNot() ?? (profile.awaits_failback ? "Shows first what would happen" : "No endpoint waits for it"),
      })] : []),
      ...(profiles ? [button(profile.enabled ? "Disable the profile…" : "Enable the profile…", () => planProfile(profile, !profile.enabled, refresh), props)] : []),
      ...(profiles && over ? [button("Clear its override…", () => planProfile(profile, null, refresh), props)] : []),
      whyNot() ? h("span", { class: "hint" }, whyNot()) : "");
  }

  return { title: name, element, load };
}

function factsOf(profile) {
  const rails = Object.entries(profile.guardrails ?? {}).map(([key, it]) => `${key} ${it}`);
  const ttl = profile.effective_ttl === profile.ttl ? `${profile.ttl} s` : `${profile.effective_ttl} s now, as an endpoint is in doubt; ${profile.ttl} s else`;
  const facts = [
    ["Method", profile.method + (profile.max_return ? `, ${profile.max_return} at a time` : "")],
    ["TTL", ttl],
    ["Guardrails", rails.join(", ") || "none"],
    ["When none is healthy", profile.when_none_healthy + (profile.fallback ? `: ${profile.fallback.join(", ")}` : "")],
  ];
  if (profile.panic_threshold > 0) facts.push(["All count as healthy below", `${profile.panic_threshold} % of the weight`]);
  if (profile.failback) facts.push(["Failback", profile.failback + (profile.awaits_failback ? ", waiting" : "")]);
  if (profile.active_priority) facts.push(["Priority that serves", String(profile.active_priority)]);
  if (profile.affinity) facts.push(["Clients stay by", `/${profile.affinity.prefix4} and /${profile.affinity.prefix6}`]);
  for (const it of profile.overrides ?? []) facts.push(["In force", `${it.field} ${it.value} by ${it.by}${it.reason ? `: ${it.reason}` : ""}`]);
  return facts;
}
