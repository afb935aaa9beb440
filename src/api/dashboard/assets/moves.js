// The plans of everything that moves traffic, but weights: drains, and changes of one endpoint or of a whole profile.

import { call, get, offers, profilePath, sitePath } from "./api.js";
import { field, h } from "./dom.js";
import { several, sign } from "./format.js";
import { openPlan } from "./plan.js";
import { comparison } from "./shares.js";

const LOOKED_AT = 40;
const AT_A_TIME = 4;

/**
 * Asks what answers would be.
 * @param {object} profile as the API tells it
 * @param {object[]} changes as `/v1/whatif` takes them
 * @param {AbortSignal} signal
 * @returns {Promise<HTMLElement>}
 */
export async function previewOf(profile, changes, signal) {
  const told = await call("POST", "/v1/whatif", { profile: profile.name, changes }, { signal });
  const place = (answer) => profile.endpoints.findIndex((it) => it.name === answer.split("/")[0]);
  return h("div", { class: "preview" }, comparison(told.rows, place),
    told.left_out > 0 ? h("p", { class: "hint" }, `and ${several(told.left_out, "more group")} of clients`) : null,
    warnings(told.warnings));
}

const warnings = (texts) =>
  texts.map((it) => h("p", { class: "warning" }, sign("bad"), it));

/**
 * Plans a change of one endpoint, in a dialog.
 * @param {object} profile as the API tells it
 * @param {string} endpoint its name
 * @param {object} change the body: `{enabled: false}`; null clears an override
 * @param {string} title what it does: "Disable seattle"
 * @param {() => void} done it was made
 */
export function planEndpoint(profile, endpoint, change, title, done) {
  const clears = Object.values(change).every((it) => it === null);
  openPlan(`${title} in ${profile.name}`, {
    confirm: () => title, sets: !clears, done,
    request: () => ({
      method: "PATCH", path: profilePath(profile.name, "endpoints", endpoint), body: { ...change }, etag: profile.etag,
    }),
    preview: (signal) => (clears
      ? afterTrial(profile, [{ profile: profile.name, endpoint, ...change }], signal)
      : previewOf(profile, [{ set: { endpoint, ...change } }], signal)),
  });
}

/** What-if knows no cleared overrides: a trial of the change tells what the shares would be. */
async function afterTrial(profile, changes, signal) {
  const { profiles: [then] } = await call("POST", "/v1/changes", { changes, dry_run: true }, { signal });
  const shares = profile.endpoints.map((it, at) => ({
    answer: it.name, now: it.share, then: then.endpoints[at]?.share ?? 0,
  }));
  if (shares.some((it) => it.now === null)) return h("p", { class: "hint" }, "The shares depend on the client.");
  return comparison([{ clients: ["all clients"], shares }], (name) => shares.findIndex((it) => it.answer === name));
}

/**
 * Plans a failback, in a dialog.
 * @param {object} profile as the API tells it
 * @param {() => void} done
 */
export function planFailback(profile, done) {
  const [first] = [...profile.endpoints].filter((it) => it.status === "Online").sort((a, b) => a.priority - b.priority);
  openPlan(`Fail ${profile.name} back`, {
    confirm: () => `Fail back to ${first?.name ?? "the lowest priority"}`, sets: false, done,
    request: () => ({ method: "POST", path: profilePath(profile.name, "failback"), body: {}, etag: profile.etag }),
    preview: (signal) => afterTrial(profile, [{ profile: profile.name, failback: true }], signal),
  });
}

/**
 * Plans to switch a profile off, or on again, in a dialog.
 * @param {object} profile as the API tells it
 * @param {boolean|null} enabled null clears the override
 * @param {() => void} done
 */
export function planProfile(profile, enabled, done) {
  const verb = enabled === null ? "Clear the override of" : enabled ? "Enable" : "Disable";
  openPlan(`${verb} ${profile.name}`, {
    confirm: () => `${verb} ${profile.name}`, sets: enabled !== null, needsReason: enabled === false, done,
    request: () => ({ method: "PATCH", path: profilePath(profile.name), body: { enabled }, etag: profile.etag }),
    preview: async () => h("p", { class: "warning" }, sign("bad"), enabled === false
      ? "It would be answered without an address: clients would not find the application."
      : "It would be answered by its endpoints' health."),
  });
}

/**
 * Plans to drain a site, or to bring it back, in a dialog.
 * @param {string} site
 * @param {boolean} drained
 * @param {() => void} done
 */
export async function planDrain(site, drained, done) {
  const ramp = h("input", { type: "text", placeholder: "at once", list: "spans", autocomplete: "off" });
  const { ramp: ramps } = drained ? {} : await offers().catch(() => ({}));
  const title = drained ? `Drain ${site}` : `Bring ${site} back`;
  openPlan(title, {
    confirm: () => title, sets: drained, needsReason: drained, done,
    fields: ramps ? [field("Up to its full share within", ramp, "5m, say: the traffic comes back little by little")] : [],
    request: () => ({
      method: "POST", path: sitePath(site, drained ? "drain" : "undrain"), body: { ramp: ramp.value.trim() || undefined },
    }),
    preview: (signal) => previewOfSite(site, drained ? "drain" : "undrain", signal),
  }, { wide: true });
}

async function previewOfSite(site, action, signal) {
  const { profiles, next } = await get("/v1/profiles", { site, limit: LOOKED_AT }, signal);
  if (profiles.length === 0) return h("p", { class: "hint" }, "No profile has an endpoint there: no answer would change.");
  const left = [...profiles];
  const told = new Map();
  const work = async () => {
    for (let it = left.shift(); it; it = left.shift()) {
      told.set(it.name, await call("POST", "/v1/whatif", { profile: it.name, changes: [{ [action]: `site/${site}` }] }, { signal }));
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
  const parts = profiles.map((profile) => ({ ...told.get(profile.name), profile }));
  const moved = parts.filter((it) => it.rows.some((row) => row.shares.some((share) => share.now !== share.then)));
  const bad = parts.filter((it) => it.warnings.length > 0);
  const verb = action === "drain" ? "leaves" : "comes back to";
  parts.sort((a, b) => b.warnings.length - a.warnings.length || moved.includes(b) - moved.includes(a));
  return h("div", { class: "preview" },
    h("p", { class: "lead" }, h("b", null, `Traffic ${verb} ${site} in ${several(moved.length, "profile")}`),
      bad.length > 0 ? `, with ${several(bad.length, "warning")}.` : "."),
    h("ul", { class: "moves", tabindex: 0, "aria-label": "Profile by profile" }, parts.map((it) => h("li", null, h("b", null, it.profile.name), " ", moves(it), warnings(it.warnings)))),
    next ? h("p", { class: "hint" }, `These are the first ${LOOKED_AT} profiles in ${site}; the others are not shown.`) : null);
}

function moves({ rows }) {
  const texts = rows.slice(0, 3).map(({ clients, shares }) => {
    const changed = shares.filter((it) => it.now !== it.then);
    const what = changed.map((it) => `${it.answer} ${Math.round(it.now)} → ${Math.round(it.then)} %`).join(", ");
    const who = rows.length > 1 ? `${clients.slice(0, 2).join(", ")}${clients.length > 2 ? ", …" : ""}: ` : "";
    return who + (what || "no answer changes");
  });
  return h("span", { class: "hint" }, texts.join("; "), rows.length > 3 ? "; …" : "");
}
