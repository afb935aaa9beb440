// Numbers with their units, and times that tell how far away they are.

import { h, setText, svg } from "./dom.js";

let ahead = 0;

/**
 * Goes by the server's clock, where this machine's is another.
 * @param {string|null} date the `Date` header of an answer
 */
export function setClock(date) {
  const difference = Date.parse(date ?? "") - Date.now();
  // The header has whole seconds, and the answer was under way.
  if (Math.abs(difference) > 3000) ahead = difference;
  else if (!Number.isNaN(difference)) ahead = 0;
}

/** @returns {number} milliseconds since 1970, by the server's clock */
export const now = () => Date.now() + ahead;

/**
 * @param {number} value percent
 * @returns {string} "71.4 %"
 */
export function percent(value) {
  const digits = Number.isInteger(value) || value >= 99.95 ? 0 : value < 0.1 && value > 0 ? 2 : 1;
  return `${value.toFixed(digits)} %`;
}

/**
 * @param {number} value
 * @returns {string} "12,345"
 */
export const count = (value) => value.toLocaleString("en");

/**
 * @param {number} number
 * @param {string} one what it counts; takes an s where there are several
 * @returns {string} "3 endpoints"
 */
export const several = (number, one) => `${count(number)} ${one}${number === 1 ? "" : "s"}`;

/**
 * @param {number|null} value answers per second; null before there were two looks
 * @returns {string} "12.3 /s"
 */
export function rate(value) {
  if (value === null || value === undefined) return "…";
  if (value >= 10_000) return `${(value / 1000).toFixed(1)} k/s`;
  return `${value >= 100 || value === 0 ? Math.round(value) : value.toFixed(1)} /s`;
}

/**
 * @param {number} seconds
 * @returns {string} "2.1 ms", "1.25 s", "3 min", "2 h", "5 d"
 */
export function span(seconds) {
  if (seconds < 1) return `${(seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0)} ms`;
  if (seconds < 60) return `${Number.isInteger(seconds) ? seconds : seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 2 * 86_400) {
    const minutes = Math.floor((seconds % 3600) / 60);
    return `${Math.floor(seconds / 3600)} h${minutes > 0 && seconds < 10 * 3600 ? ` ${minutes} min` : ""}`;
  }
  return `${Math.floor(seconds / 86_400)} d`;
}

/**
 * @param {number|string} time milliseconds since 1970, or RFC 3339
 * @returns {string} "21:03:07"
 */
export const clockTime = (time) => new Date(time).toLocaleTimeString("en-GB");

/**
 * @param {string} time RFC 3339
 * @returns {string} "2026-11-28 21:03:07", in this machine's time zone
 */
export const dateTime = (time) => `${new Date(time).toLocaleDateString("sv-SE")} ${clockTime(time)}`;

const WORDINGS = {
  ago: (seconds) => (seconds < 1 ? "just now" : `${span(Math.floor(seconds))} ago`),
  since: (seconds) => `for ${span(Math.max(1, Math.floor(seconds)))}`,
  until: (seconds) => (seconds >= 0 ? "now" : `in ${span(Math.ceil(-seconds))}`),
  left: (seconds) => {
    const left = Math.max(0, Math.ceil(-seconds));
    return `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  },
};

function say(element) {
  const seconds = (now() - Date.parse(element.dateTime)) / 1000;
  setText(element, WORDINGS[element.dataset.wording](seconds));
}

/**
 * A time, told by how far away it is and kept so; its exact value shows in its title.
 * @param {string} time RFC 3339
 * @param {"ago"|"since"|"until"|"left"} wording "3 min ago", "for 3 min", "in 3 min" or "2:59"
 * @returns {HTMLTimeElement}
 */
export function timeTag(time, wording) {
  const element = h("time", { datetime: time, title: dateTime(time), "data-wording": wording });
  say(element);
  return element;
}

/**
 * Brings the times in an element up to date.
 * @param {ParentNode} within
 */
export function keepTrue(within) {
  within.querySelectorAll("time[data-wording]").forEach(say);
}

const DISC = "M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 0 0 0-13z";
const SIGNS = {
  good: [DISC, "M4.8 8.3l2.2 2.2 4.2-4.6"],
  bad: ["M8 1.2L15.4 14.4H.6z", "M8 5.8v4M8 11.9v.4"],
  severe: ["M5.2 1h5.6L15 5.2v5.6L10.8 15H5.2L1 10.8V5.2z", "M5.4 5.4l5.2 5.2M10.6 5.4l-5.2 5.2"],
  unsure: [DISC, "M6.1 6.2a1.9 1.9 0 1 1 2.7 1.7c-.6.3-.8.6-.8 1.3M8 11.6v.4"],
  off: ["M2 2h12v12H2z", "M5 8h6"],
  aside: [DISC, "M5.2 8h5.2M8.2 5.6L10.8 8l-2.6 2.4"],
  note: [DISC, "M8 7.2v4M8 4.6v.4"],
};
const KINDS = {
  Online: "good", Unmonitored: "aside", Degraded: "bad", CheckingEndpoint: "unsure", CheckingEndpoints: "unsure",
  Drained: "aside", Disabled: "off", Inactive: "off", Stopped: "off",
};

/**
 * A sign that says by its shape what its colour says.
 * @param {"good"|"bad"|"severe"|"unsure"|"off"|"aside"|"note"} kind
 * @returns {SVGElement}
 */
export function sign(kind) {
  const [shape, mark] = SIGNS[kind];
  return svg("svg", { class: `sign ${kind}`, viewBox: "0 0 16 16", "aria-hidden": "true" },
    svg("path", { class: "shape", d: shape }), svg("path", { class: "mark", d: mark }));
}

/**
 * @param {string} label a status, such as `Online`
 * @returns {string} the kind of its sign
 */
export const signOf = (label) => KINDS[label] ?? "note";

/**
 * A status as sign and word.
 * @param {string} label such as `Online`
 * @returns {HTMLElement}
 */
export function status(label) {
  const kind = signOf(label);
  return h("span", { class: `status ${kind}` }, sign(kind), label.replace(/^Checking.*/, "Checking"));
}
