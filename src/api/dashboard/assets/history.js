// When endpoints came into another status, and why, the newest first.

import { get } from "./api.js";
import { button, field, h, setText } from "./dom.js";
import { several } from "./format.js";
import { turnLine } from "./timeline.js";
import { reconcile } from "./update.js";

const PAGE = 50;
const MOST = 1000;

/**
 * The page of the history.
 * @param {{refresh: () => void, query: URLSearchParams}} page `query` may have `profile` and `site`
 */
export function history({ refresh, query }) {
  let limit = PAGE;
  const again = () => ((limit = PAGE), refresh());
  const input = (key) => h("input", { type: "search", value: query.get(key) ?? "", autocomplete: "off", on: { change: again } });
  const [profile, site] = ["profile", "site"].map(input);
  profile.dataset.filter = true;
  const list = h("ol", { class: "lines" });
  const note = h("p", { class: "hint", role: "status" });
  const more = button("Older", () => ((limit = Math.min(limit * 3, MOST)), refresh()), { hidden: true });
  return {
    title: "History",
    element: h("div", { class: "page" }, h("h1", null, "History"),
      h("form", { class: "filters", role: "search", on: { submit: (event) => (event.preventDefault(), again()) } },
        field("Profile", profile), field("Site", site), h("button", { type: "submit" }, "Show")),
      h("section", { class: "panel", "aria-label": "Turns" }, list, note, more)),
    async load(signal) {
      const { turns } = await get("/v1/history", { limit, profile: profile.value.trim(), site: site.value.trim() }, signal);
      reconcile(list, turns, (it) => `${it.profile} ${it.endpoint} ${it.turn.at} ${it.turn.to}`, line);
      more.hidden = turns.length < limit || limit === MOST;
      setText(note, turns.length === 0 ? "No endpoint has come into another status." : several(turns.length, "turn"));
    },
  };
}

function line({ profile, endpoint, turn }) {
  const where = h("a", { href: `#/profiles/${encodeURIComponent(profile)}` }, `${profile} ${endpoint}`);
  return { element: h("li", null, turnLine(turn, where)), update() {} };
}
