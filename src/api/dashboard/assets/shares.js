// Who gets which part of the answers: a bar, and the same in words beside it.

import { h } from "./dom.js";
import { percent, sign, signOf } from "./format.js";

const SERIES = 6;
const MOST_NAMED = 6;

/**
 * The look of an endpoint's part, by its place in the profile: a colour and a pattern.
 * @param {number} at
 */
export const series = (at) => `series-${at % SERIES}`;

/**
 * A stacked bar with its legend.
 * @param {{name: string, share: number|null, status: string}[]} endpoints with `share` in percent, or null where it depends
 *   on the client
 * @returns {HTMLElement}
 */
export function shareBar(endpoints) {
  if (endpoints.every((it) => it.share === null)) return byClient(endpoints);
  const parts = endpoints.map((it, at) => ({ ...it, at }));
  const bar = h("div", { class: "bar", "aria-hidden": "true" }, parts.filter((it) => it.share > 0).map((it) =>
    h("span", { class: series(it.at), style: { "flex-grow": it.share } })));
  const named = parts.length > MOST_NAMED ? [...parts].sort((a, b) => b.share - a.share).slice(0, MOST_NAMED) : parts;
  const legend = h("ul", { class: "legend" }, named.map((it) => h("li", { class: it.share > 0 ? "" : "none" },
    h("i", { class: `swatch ${series(it.at)}` }), it.name, " ", h("b", null, percent(it.share ?? 0)), trouble(it))));
  if (parts.length > named.length) legend.append(h("li", { class: "none" }, `and ${parts.length - named.length} more`));
  return h("div", { class: "shares" }, bar, legend);
}

function byClient(endpoints) {
  return h("div", { class: "shares" }, h("ul", { class: "legend" },
    h("li", { class: "none" }, "by client:"),
    endpoints.slice(0, MOST_NAMED).map((it, at) =>
      h("li", null, h("i", { class: `swatch ${series(at)}` }), it.name, trouble(it)))));
}

function trouble({ status }) {
  if (status === "Online" || status === "Unmonitored") return null;
  return h("span", { class: "trouble" }, " ", sign(signOf(status)), status);
}

/**
 * What answers are and what they would be.
 * @param {{clients: string[], shares: {answer: string, now: number, then: number}[]}[]} rows as what-if tells them
 * @param {(answer: string) => number} placeOf an endpoint's place in its profile, or -1
 * @returns {HTMLElement}
 */
export function comparison(rows, placeOf) {
  const several = rows.length > 1 || rows.some((it) => it.clients.join() !== "all clients");
  const bodies = rows.map(({ clients, shares }) => h("tbody", null,
    several ? h("tr", null, h("th", { colspan: 4, scope: "rowgroup", class: "clients" }, clients.join(", "))) : null,
    shares.map((it) => {
      const gone = ["NODATA", "SERVFAIL"].includes(it.answer);
      const look = gone ? "swatch gone" : `swatch ${series(Math.max(0, placeOf(it.answer)))}`;
      const change = it.then - it.now;
      return h("tr", { class: change === 0 ? "same" : gone ? "worse" : "" },
        h("th", { scope: "row" }, h("i", { class: look }), it.answer),
        h("td", { class: "number" }, percent(it.now)),
        h("td", { class: "number then" }, h("span", { class: "arrow", "aria-hidden": "true" }, "→"), percent(it.then)),
        h("td", { class: "meter", "aria-hidden": "true" },
          h("span", { class: "was", style: { width: `${it.now}%` } }),
          h("span", { class: look.replace("swatch ", "is "), style: { width: `${it.then}%` } })));
    })));
  return h("table", { class: "comparison" },
    h("thead", null, h("tr", null, h("th", { scope: "col" }, "answer"), h("th", { scope: "col", class: "number" }, "now"),
      h("th", { scope: "col", class: "number" }, "then"), h("td", { "aria-hidden": "true" }))), bodies);
}
