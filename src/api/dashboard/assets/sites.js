// Sites: how they are, what a drain has come to, and how to drain one or bring it back.

import { get, whyNot } from "./api.js";
import { button, h, setText } from "./dom.js";
import { several, sign, span, status, timeTag } from "./format.js";
import { planDrain } from "./moves.js";
import { reconcile, setContent } from "./update.js";

/**
 * The page of all sites.
 * @param {{refresh: () => void}} page
 */
export function sites({ refresh }) {
  const list = h("div", { class: "cards" });
  const note = h("p", { class: "hint" });
  return {
    title: "Sites",
    element: h("div", { class: "page" }, h("h1", null, "Sites"), note, list),
    async load(signal) {
      const { sites } = await get("/v1/sites", {}, signal);
      setText(note, sites.length === 0 ? "The configuration has no sites." : whyNot() ?? "");
      reconcile(list, sites, (it) => `${it.name} ${it.drained}`, (it) => card(it, refresh));
    },
  };
}

function card({ name, drained }, refresh) {
  const body = h("div");
  const title = drained ? `Bring ${name} back…` : `Drain ${name}…`;
  const act = button(title, () => planDrain(name, !drained, refresh), {
    disabled: whyNot() !== null, title: whyNot() ?? "Shows first what would happen",
  });
  const profiles = h("a", { href: `#/?site=${encodeURIComponent(name)}` }, "Its profiles");
  return {
    element: h("article", { class: "panel site", "aria-label": `Site ${name}` },
      body, h("div", { class: "actions" }, act, profiles)),
    update(site) {
      setContent(body, h("h2", null, site.name, " ", stateOf(site)),
        h("p", { class: "count" }, h("b", null, `${site.healthy} of ${site.endpoints}`), " endpoints healthy and in service"),
        place(site.location), site.drained ? drainProgress(site) : null);
    },
  };
}

function stateOf(site) {
  if (site.drained) return status("Drained");
  if (site.endpoints === 0) return h("span", { class: "status off" }, sign("off"), "no endpoints");
  if (site.healthy === 0) return h("span", { class: "status severe" }, sign("severe"), "none healthy");
  if (site.healthy < site.endpoints) return h("span", { class: "status bad" }, sign("bad"), "some not healthy");
  return h("span", { class: "status good" }, sign("good"), "healthy");
}

function place(location) {
  if (!location) return null;
  const { latitude, longitude, region } = location;
  const degrees = `${Math.abs(latitude)}° ${latitude < 0 ? "S" : "N"}, ${Math.abs(longitude)}° ${longitude < 0 ? "W" : "E"}`;
  return h("p", { class: "hint" }, [region, degrees].filter(Boolean).join(" · "));
}

/**
 * How far a drain has come.
 * @param {object} site a drained one, as the API tells it
 * @returns {HTMLElement}
 */
export function drainProgress({ name, drain }) {
  return h("div", { class: "drain" },
    h("div", { class: "title" }, h("b", null, `${name} is drained`), " ", progress(drain)),
    h("div", { class: "why" }, `by ${drain.by} `, timeTag(drain.at, "ago"), drain.reason ? `: ${drain.reason}` : "",
      drain.expires ? [" · ends ", timeTag(drain.expires, "until")] : " · stays until it is brought back"),
    drain.still_answered?.length > 0
      ? h("ul", { class: "still" }, drain.still_answered.map((it) =>
        h("li", null, `${it.profile} ${it.endpoint} is still answered: ${it.reason}`)))
      : null,
    requests(drain.requests));
}

function progress(drain) {
  if (drain.safe === undefined) return null;
  if (drain.safe) return h("span", { class: "status good" }, sign("good"), "safe to work on");
  if (!drain.stopped) return h("span", { class: "status bad" }, sign("bad"), "still answered");
  const ttl = drain.longest_ttl_seconds > 0 ? `, longest TTL out there ${span(drain.longest_ttl_seconds)}` : "";
  return h("span", { class: "status unsure" }, sign("unsure"), "answers stopped", ttl,
    drain.safe_at ? [", safe ", timeTag(drain.safe_at, "until")] : "");
}

function requests(seen) {
  if (!seen) return null;
  if (seen.error) return h("p", { class: "warning" }, sign("bad"), `Its requests can't be counted: ${seen.error}`);
  return h("p", { class: "hint" }, `Requests there: ${seen.value}${seen.quiet ? ", quiet" : ""}, `, timeTag(seen.at, "ago"));
}
