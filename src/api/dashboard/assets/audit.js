// The audit log: who did what, when and why, the newest first.

import { get } from "./api.js";
import { button, factList, field, h, setText } from "./dom.js";
import { dateTime, sign, timeTag } from "./format.js";
import { reconcile, setContent } from "./update.js";

const PAGE = 50;

/**
 * The page of the audit log.
 * @param {{refresh: () => void, query: URLSearchParams}} page `query` may have `profile`, `site` and `by`
 */
export function audit({ refresh, query }) {
  let older = [];
  let next = null;
  const input = (key) => h("input", { type: "search", value: query.get(key) ?? "", autocomplete: "off", on: { change: again } });
  const [profile, site, by] = ["profile", "site", "by"].map(input);
  profile.dataset.filter = true;
  const list = h("ol", { class: "lines" });
  const note = h("p", { class: "hint", role: "status" });
  const problem = h("p", { class: "warning", role: "alert" });
  const more = button("Older", loadOlder, { hidden: true });

  const wanted = () => ({ limit: PAGE, profile: profile.value.trim(), site: site.value.trim(), by: by.value.trim() });

  const nothing = () =>
    (profile.value || site.value || by.value ? "Nothing has been done that fits." : "Nothing has been done yet.");

  function again() {
    older = [];
    next = null;
    refresh();
  }

  async function loadOlder() {
    more.disabled = true;
    try {
      const page = await get("/v1/audit", { ...wanted(), before: next });
      older.push(...page.entries);
      next = page.next ?? 0;
      setText(problem, "");
      refresh();
    } catch (error) {
      setText(problem, error.message);
    }
    more.disabled = false;
  }

  async function load(signal) {
    const page = await get("/v1/audit", wanted(), signal);
    next ??= page.next ?? 0;
    const newest = page.entries;
    const entries = [...newest, ...older.filter((it) => it.number < (newest.at(-1)?.number ?? Infinity))];
    reconcile(list, entries, (it) => String(it.number), line);
    more.hidden = !next;
    const { length } = entries;
    setText(note, length === 0 ? nothing() : length === 1 ? "1 entry" : `${length} entries`);
  }

  return {
    title: "Audit", load,
    element: h("div", { class: "page" }, h("h1", null, "Audit"),
      h("form", { class: "filters", role: "search", on: { submit: (event) => (event.preventDefault(), again()) } },
        field("Profile", profile), field("Site", site), field("By", by), h("button", { type: "submit" }, "Show")),
      h("section", { class: "panel", "aria-label": "Entries" }, list, note, problem, more)),
  };
}

function line(entry) {
  const refused = entry.outcome !== "made";
  const summary = h("summary", null);
  const details = h("details", null, summary, factList([
    ["Number", String(entry.number)], ["At", dateTime(entry.at)], ["From", entry.from ?? "by itself"],
    ["Before", values(entry.before)], ["After", values(entry.after)],
    ["Ends", entry.expires ? dateTime(entry.expires) : "when it is cleared"], ["Outcome", entry.outcome], ["Hash", entry.hash],
  ]));
  return {
    element: h("li", { class: refused ? "refused" : "" }, details),
    update() {
      setContent(summary, h("div", { class: "line" }, timeTag(entry.at, "ago"), h("b", null, entry.by),
        h("span", { class: "turn" }, sign(refused ? "bad" : "good"), sentence(entry)),
        h("span", { class: "why" }, entry.reason ?? "", refused ? h("span", { class: "warning" }, ` ${entry.outcome}`) : null)));
    },
  };
}

function sentence({ action, profile, endpoint, site, before, after }) {
  const what = site ? `site ${site}` : [profile, endpoint].filter(Boolean).join(" ");
  const keys = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])];
  const changes = keys.map((key) => `${key} ${told(before?.[key])} → ${told(after?.[key])}`);
  return [h("b", null, ` ${action} `), what, changes.length > 0 ? h("span", { class: "hint" }, ` ${changes.join(", ")}`) : null];
}

const told = (value) => (value === null || value === undefined ? "as configured" : String(value));

const values = (all) => Object.entries(all ?? {}).map(([key, it]) => `${key} ${told(it)}`).join(", ") || "nothing";
