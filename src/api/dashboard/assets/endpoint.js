// One endpoint of a profile: how it is, what it gets, and what can be done with it.

import { whyNot } from "./api.js";
import { button, h } from "./dom.js";
import { now, percent, rate, span, status, timeTag } from "./format.js";
import { planDrain, planEndpoint } from "./moves.js";
import { inWords } from "./profiles.js";
import { series } from "./shares.js";
import { strip, turnLine } from "./timeline.js";
import { setContent } from "./update.js";

const TURNS = 5;

/**
 * An endpoint's card.
 * @param {{profile: () => object, refresh: () => void, weights: object}} page the profile as it was last told; `weights` is
 *   where a weight is planned
 * @param {string} name
 * @returns {{element: HTMLElement, update: (shown: object) => void}}
 */
export function endpointCard(page, name) {
  const [title, what, health, probe] = [h("div"), h("div"), h("div"), h("div")];
  const actions = h("div", { class: "actions wrap" });
  const shares = h("div", { class: "gets" });
  const control = page.weights.control(name);
  const lines = h("div");
  const words = h("details", null, h("summary", null, "Turns in words"), lines);
  let offered = "";
  const element = h(
    "article",
    { class: "panel endpoint", "aria-label": `Endpoint ${name}` },
    h("div", { class: "identity" }, title, what),
    h("div", { class: "traffic" }, shares, control.element),
    h("div", { class: "health" }, health, words, probe),
    actions,
  );
  return {
    element,
    update({ endpoint, at, rate: perSecond, total, turns, shownFor, method, isWeighed }) {
      setContent(
        title,
        h("h3", null, h("i", { class: `swatch ${series(at)}` }), endpoint.name),
        " ",
        status(endpoint.status),
        " ",
        h("span", { class: "hint" }, timeTag(endpoint.since, "since")),
      );
      setContent(what, target(endpoint), overrides(endpoint));
      setContent(shares, gets(endpoint, perSecond, total));
      control.update(endpoint, isWeighed);
      setContent(health, strip(turns, endpoint, shownFor));
      words.hidden = turns.length === 0;
      setContent(
        lines,
        [...turns]
          .reverse()
          .slice(0, TURNS)
          .map((it) => turnLine(it)),
      );
      setContent(probe, lastProbe(endpoint));
      const possible = JSON.stringify([
        endpoint.enabled,
        endpoint.forced,
        endpoint.site,
        endpoint.drained,
        endpoint.overrides,
        endpoint.priority,
      ]);
      if (possible !== offered) actions.replaceChildren(...deeds(page, endpoint, method));
      offered = possible;
    },
  };
}

function target(endpoint) {
  const to = endpoint.profile
    ? ["stands for ", h("a", { href: `#/profiles/${encodeURIComponent(endpoint.profile)}` }, endpoint.profile)]
    : endpoint.target.join(", ");
  const resolved = endpoint.resolved?.addresses.length ? ` (${endpoint.resolved.addresses.join(", ")})` : "";
  return [
    h("p", { class: "target" }, to, resolved),
    h(
      "p",
      { class: "hint" },
      endpoint.site ? ["site ", h("a", { href: "#/sites" }, endpoint.site)] : "in no site",
      ` · priority ${endpoint.priority} · capacity ${endpoint.capacity}`,
      endpoint.geo ? ` · serves ${endpoint.geo.join(", ")}` : "",
      endpoint.subnets ? ` · serves ${endpoint.subnets.join(", ")}` : "",
    ),
    endpoint.discovered ? h("p", { class: "hint" }, `discovered by ${endpoint.discovered.from}`) : null,
    endpoint.discovered?.stale
      ? h("p", { class: "warning" }, `stale since ${endpoint.discovered.stale.since}: ${endpoint.discovered.stale.reason}`)
      : null,
    workload(endpoint.discovered?.workload),
    endpoint.resolved?.error ? h("p", { class: "warning" }, endpoint.resolved.error) : null,
  ];
}

// What the site's cluster says of the pods behind an endpoint.
function workload(it) {
  if (!it) return null;
  const says = { ready: `${it.ready} of ${it.pods} pods ready`, not_ready: `0 of ${it.pods} pods ready` };
  const text = `${it.service}: ${says[it.readiness] ?? `unknown whether its pods are ready: ${it.reason}`}`;
  return h("p", { class: it.readiness === "ready" ? "hint" : "warning" }, text);
}

function overrides({ overrides }) {
  return overrides.map((it) =>
    h(
      "p",
      { class: "over" },
      h("span", { class: "chip" }, inWords(it)),
      ` by ${it.by} `,
      timeTag(it.at, "ago"),
      it.reason ? h("span", null, `: ${it.reason}`) : "",
      " · ",
      it.expires ? ["ends ", timeTag(it.expires, "until")] : "stays until it is cleared",
    ),
  );
}

function gets(endpoint, perSecond, total) {
  const part = perSecond !== null && total > 0 ? ` (${percent((perSecond / total) * 100)})` : "";
  return [
    h(
      "p",
      { class: "share" },
      h("b", null, endpoint.share === null ? "by client" : percent(endpoint.share)),
      h("span", { class: "hint" }, endpoint.share === null ? "" : " of the answers"),
    ),
    h("p", { class: "hint" }, "realised ", rate(perSecond), part),
    endpoint.ramp
      ? h(
          "p",
          { class: "hint" },
          `starts slowly: ${percent(endpoint.ramp.percent)} of its share, all of it `,
          timeTag(endpoint.ramp.until, "until"),
        )
      : null,
    endpoint.share === 0 && Date.parse(endpoint.cached_until) > now()
      ? h(
          "p",
          { class: "hint" },
          "resolvers may still answer with it; the last ends ",
          timeTag(endpoint.cached_until, "until"),
        )
      : null,
  ];
}

function lastProbe({ last_probe: last, monitor, certificate, stale, held_down_until: held, profile }) {
  if (profile) return h("p", { class: "hint" }, "Its health is that of the profile it stands for.");
  const where = [monitor.protocol, monitor.addresses.join(", "), monitor.path].filter(Boolean).join(" ");
  return [
    h(
      "p",
      null,
      last
        ? [
            h("b", { class: last.result }, last.result),
            ` in ${last.phase} after ${span(last.seconds)}, `,
            timeTag(last.at, "ago"),
            last.reason ? h("span", { class: "why" }, `: ${last.reason}`) : "",
          ]
        : "No probe has ended yet.",
    ),
    h(
      "p",
      { class: "hint" },
      `${where} every ${span(monitor.interval_seconds)}, timeout ${span(monitor.timeout_seconds)}`,
    ),
    stale ? h("p", { class: "warning" }, "Stale: no probe has said anything for three intervals.") : null,
    held ? h("p", { class: "hint" }, "held down after flapping; may be Online ", timeTag(held, "until")) : null,
    certificate
      ? h(
          "p",
          { class: certificate.expires_soon ? "warning" : "hint" },
          "certificate ends ",
          timeTag(certificate.expires, "until"),
        )
      : null,
  ];
}

function deeds(page, endpoint, method) {
  const { name, site, drained } = endpoint;
  const why = whyNot();
  const act = (label, change, title) =>
    button(label, () => planEndpoint(page.profile(), name, change, title, page.refresh), {
      disabled: why !== null,
      title: why ?? "Shows first what would happen",
      "aria-label": `${label} ${name}`,
    });
  const list = [
    endpoint.enabled
      ? act("Disable…", { enabled: false }, `Disable ${name}`)
      : act("Enable…", { enabled: true }, `Enable ${name}`),
  ];
  if (endpoint.forced !== "down") list.push(act("Force down…", { forced: "down" }, `Force ${name} down`));
  if (endpoint.forced !== "up") list.push(act("Force up…", { forced: "up" }, `Force ${name} up`));
  if (method === "priority") list.push(priority(page, endpoint, act));
  for (const { field } of endpoint.overrides)
    list.push(act(`Clear ${field}…`, { [field]: null }, `Clear the ${field} override of ${name}`));
  if (site) {
    const label = drained ? `Bring ${site} back…` : `Drain ${site}…`;
    list.push(
      button(label, () => planDrain(site, !drained, page.refresh), {
        disabled: why !== null,
        title: why ?? "Shows first what would happen",
      }),
    );
  }
  return list;
}

function priority(page, { name, priority }) {
  const why = whyNot();
  const input = h("input", {
    type: "number",
    min: 1,
    max: 65535,
    value: priority,
    "aria-label": `Priority of ${name}`,
    disabled: why !== null,
  });
  const plan = () => {
    if (!input.reportValidity()) return;
    const wanted = Number(input.value);
    planEndpoint(page.profile(), name, { priority: wanted }, `Set the priority of ${name} to ${wanted}`, page.refresh);
  };
  return h(
    "form",
    { class: "inline", on: { submit: (event) => (event.preventDefault(), plan()) } },
    h("span", { class: "hint" }, "priority"),
    input,
    h("button", { type: "submit", disabled: why !== null, title: why ?? "" }, "Set…"),
  );
}
