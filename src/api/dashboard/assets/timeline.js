// An endpoint's statuses over time, as a strip and in words.

import { h, svg } from "./dom.js";
import { clockTime, dateTime, now, span, status, timeTag } from "./format.js";

const WIDTH = 1000;
const HEIGHT = 22;
const NARROWEST = 5;
/** What the strips may show: name and milliseconds. */
export const WINDOWS = [["1 h", 3_600_000], ["24 h", 86_400_000], ["7 d", 604_800_000]];

// Heights tell statuses apart where colours don't: what is bad stands up.
const LOOKS = {
  Online: ["good", 8], Unmonitored: ["good", 8], Degraded: ["bad", HEIGHT], CheckingEndpoint: ["unsure", 14],
};

/**
 * The strip.
 * @param {object[]} turns the times that the status changed, the oldest first
 * @param {object} endpoint as the API tells it
 * @param {number} window milliseconds that are shown
 * @returns {HTMLElement}
 */
export function strip(turns, endpoint, window) {
  const end = now();
  const start = end - window;
  const pieces = piecesOf(turns, endpoint, start, end);
  const x = (time) => ((time - start) / window) * WIDTH;
  const shapes = pieces.map((it) => {
    const [look, height] = LOOKS[it.status] ?? ["off", 14];
    const width = Math.max(x(it.to) - x(it.from), NARROWEST);
    return svg("rect", { class: look, x: x(it.from), width, y: HEIGHT - height, height },
      svg("title", null, `${it.status} from ${clockTime(it.from)}, for ${span(Math.round((it.to - it.from) / 1000))}${it.why ? `: ${it.why}` : ""}`));
  });
  const bad = pieces.filter((it) => it.status === "Degraded").reduce((sum, it) => sum + it.to - it.from, 0);
  const told = `${endpoint.name}: ${bad > 0 ? `Degraded for ${span(Math.round(bad / 1000))}` : "never Degraded"} in the last ${span(window / 1000)}`;
  return h("figure", { class: "strip" },
    svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": told }, shapes),
    h("figcaption", null, h("span", null, `${span(window / 1000)} ago`), h("span", null, "now")));
}

function piecesOf(turns, endpoint, start, end) {
  const pieces = [];
  let until = end;
  let is = endpoint.status;
  for (const turn of [...turns].reverse()) {
    const at = Date.parse(turn.at);
    pieces.unshift({ status: turn.to, from: Math.max(at, start), to: until, why: turn.reason });
    until = Math.max(at, start);
    is = turn.from;
    if (at <= start) return pieces;
  }
  // Before the first turn nothing is known, unless it tells how long it had been so.
  const first = turns[0];
  const from = first ? Date.parse(first.at) - (first.lasted_seconds ?? 0) * 1000 : Date.parse(endpoint.since);
  if (until > start) pieces.unshift({ status: is, from: Math.max(from, start), to: until });
  return pieces;
}

/**
 * A turn on one line.
 * @param {object} turn as the API tells it
 * @param {string} [where] whose it is
 * @returns {HTMLElement}
 */
export function turnLine(turn, where) {
  const cause = {
    probe: turn.phase ? `probe, ${turn.phase}` : "probe", profile: `profile ${turn.profile}`, change: `${turn.change} by ${turn.by}`,
    expiry: `the end of ${turn.change} by ${turn.by}`, reload: "reload", start: "start",
  }[turn.cause] ?? turn.cause;
  return h("div", { class: "line" }, timeTag(turn.at, "ago"), where ?? null,
    h("span", { class: "turn" }, status(turn.from), h("span", { class: "arrow", "aria-label": "then" }, "→"), status(turn.to)),
    h("span", { class: "why" }, turn.reason ?? "", turn.reason ? " " : "", h("span", { class: "hint" }, `(${cause})`)));
}

