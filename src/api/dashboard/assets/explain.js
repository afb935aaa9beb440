// Why a name is answered as it is, for one client.

import { get } from "./api.js";
import { factList, field, h } from "./dom.js";
import { percent, sign, span, status } from "./format.js";
import { problemOf } from "./plan.js";

/**
 * A form that asks how a profile would answer a client.
 * @param {string} name the profile's name
 * @returns {HTMLElement}
 */
export function explainForm(name) {
  const client = h("input", { type: "text", placeholder: "any, 192.0.2.7 or 10.20.0.0/16", autocomplete: "off", spellcheck: "false" });
  const type = h("select", null, ["A", "AAAA"].map((it) => h("option", null, it)));
  const answer = h("div", { class: "explained", "aria-live": "polite" });
  const ask = async (event) => {
    event.preventDefault();
    try {
      const told = await get("/v1/explain", { name, type: type.value, client: client.value.trim() });
      answer.replaceChildren(...explained(told));
    } catch (error) {
      answer.replaceChildren(problemOf(error, "It can't be explained"));
    }
  };
  return h("section", { class: "panel", "aria-labelledby": "explain-title" }, h("h2", { id: "explain-title" }, "Explain an answer"),
    h("form", { class: "filters", on: { submit: ask } },
      field("Client address or network", client), field("Type", type),
      h("button", { type: "submit" }, "Explain")),
    answer);
}

function explained(told) {
  const { answers, alias } = told;
  const said = alias ? `CNAME ${alias}` : answers.length > 0 ? answers.join(", ") : "no address";
  return [
    h("p", { class: "said" }, h("b", null, said), h("span", { class: "hint" }, ` ${told.outcome}`)),
    factList([
      ["Client", `${told.client.network}${told.client.from === "default" ? ", of whom nothing is known" : ""}`],
      told.ttl === null ? null : ["TTL", `${told.ttl} s: ${told.ttl_reason}`],
      told.scope === null ? null : ["Holds for", `/${told.scope}: ${told.scope_reason}`],
      told.draw === null ? null : ["Draw", told.draw],
    ].filter(Boolean)),
    ...told.profiles.map(decision),
  ];
}

function decision(profile) {
  const { location } = profile;
  const where = location && [location.region, location.site, location.range].filter(Boolean).join(", ");
  return h("div", { class: "decision" },
    h("h3", null, profile.name, " ", h("span", { class: "hint" }, `${profile.method}: ${profile.outcome}`)),
    location ? h("p", { class: "hint" }, where ? `The client is in ${where} (${location.table})` : "Nothing says where the client is") : null,
    h("table", { class: "reasons" }, h("thead", null, h("tr", null,
      ["Endpoint", "Status", "Why", "Share"].map((it) => h("th", { scope: "col", class: it === "Share" ? "number" : "" }, it)))),
    h("tbody", null, profile.endpoints.map((it) => {
      const chosen = profile.picked.includes(it.name);
      const far = [it.milliseconds != null ? span(it.milliseconds / 1000) : null, it.kilometres != null ? `${Math.round(it.kilometres)} km` : null];
      return h("tr", { class: chosen ? "chosen" : it.candidate ? "" : "out" },
        h("th", { scope: "row" }, it.name, chosen ? h("span", { class: "status good" }, " ", sign("good"), "chosen") : null),
        h("td", null, status(it.status)),
        h("td", null, [it.why, ...far].filter(Boolean).join(", ")),
        h("td", { class: "number" }, percent(it.share)));
    }))));
}
