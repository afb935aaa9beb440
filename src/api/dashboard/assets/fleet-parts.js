// What the pages of the fleet tell alike: how an app is, what was done about it, and where its page is.

import { h } from "./dom.js";
import { several, sign, timeTag } from "./format.js";

const STATES = {
  in_sync: ["good", "in sync"],
  drifted: ["bad", "drifted"],
  outdated: ["aside", "outdated"],
  unknown: ["unsure", "unknown"],
};

/**
 * How an app is, as sign and words.
 * @param {object} app as the API tells it
 * @returns {HTMLElement}
 */
export function appState({ state, different }) {
  const [kind, word] = STATES[state] ?? STATES.unknown;
  return h("span", { class: `status ${kind}` }, sign(kind), different > 0 ? `${word} (${different})` : word);
}

/**
 * What was done about an app's drift, in a few words.
 * @param {object} healing as the API tells it
 * @returns {(Node|string)[]} nothing where nothing was done
 */
export function healed({ times, last, next, trouble }) {
  const told = [];
  if (times > 0) told.push(h("span", null, `put back ${several(times, "time")}`, last ? [", ", timeTag(last, "ago")] : ""));
  if (next) told.push(h("span", null, "next try ", timeTag(next, "until")));
  if (trouble) told.push(h("span", { class: "warning", title: trouble }, sign("bad"), "healing is held up"));
  return told;
}

/**
 * The path of a site's page, or of an app's there.
 * @param {...string} names
 * @returns {string}
 */
export const fleetPath = (...names) => ["#/fleet", ...names.map(encodeURIComponent)].join("/");
