// What stands around every page: where one can go, whether what is shown is of now, the theme, and who is signed in.

import { me } from "./api.js";
import { openDialog } from "./dialog.js";
import { button, h, svg } from "./dom.js";
import { clockTime, sign } from "./format.js";
import { setContent } from "./update.js";

const FLEET = "#/fleet";
const PLACES = [
  ["#/", "Overview", "o"],
  ["#/sites", "Sites", "s"],
  [FLEET, "Fleet", "f"],
  ["#/audit", "Audit", "a"],
  ["#/history", "History", "h"],
];
const ICONS = {
  system: "M8 1.8a6.2 6.2 0 1 0 0 12.4zM8 1.8a6.2 6.2 0 0 1 0 12.4",
  light:
    "M8 4.8a3.2 3.2 0 1 0 0 6.4a3.2 3.2 0 0 0 0-6.4zM8 .8v1.6M8 13.6v1.6M.8 8h1.6M13.6 8h1.6M2.9 2.9l1.1 1.1M12 12l1.1 1.1M13.1 2.9L12 4M4 12l-1.1 1.1",
  dark: "M13.6 10.2A6 6 0 0 1 5.8 2.4a6 6 0 1 0 7.8 7.8z",
};
const THEMES = { system: "light", light: "dark", dark: "system" };

const state = h("span", { class: "live", role: "status" });
let live = null;
let fleet = false;

/**
 * Builds what stands around the pages.
 * @param {{leave: () => void}} to `leave` signs out
 */
export function showShell({ leave }) {
  const main = document.getElementById("main");
  const skip = h(
    "a",
    { class: "skip", href: "#/", on: { click: (event) => (event.preventDefault(), main.focus()) } },
    "Skip to the content",
  );
  const places = h(
    "nav",
    { "aria-label": "Pages" },
    PLACES.map(([href, name]) => h("a", { href, hidden: href === FLEET && !fleet }, name)),
  );
  document
    .getElementById("top")
    .replaceChildren(
      skip,
      h(
        "a",
        { class: "brand", href: "#/" },
        h("img", { src: "/assets/icon.svg", alt: "", width: 24, height: 24 }),
        "Farol",
      ),
      me ? places : "",
      h("span", { class: "space" }),
      me ? state : "",
      themeButton(),
      me ? button("?", showKeys, { class: "quiet icon", "aria-label": "Keys", title: "Keys (?)" }) : "",
      me ? h("span", { class: "who" }, h("b", null, me.name), " ", h("span", { class: "hint" }, me.role)) : "",
      me ? button("Sign out", leave, { class: "quiet", title: `Signed in as ${me.name}, ${me.role}` }) : "",
    );
}

/**
 * Marks the page that is shown.
 * @param {string} path such as `/sites`
 */
export function markPlace(path) {
  const kind = path.split("/")[1];
  const here = kind === "profiles" ? "#/" : `#/${kind}`;
  for (const it of document.querySelectorAll("#top nav a")) {
    if (it.getAttribute("href") === here) it.setAttribute("aria-current", "page");
    else it.removeAttribute("aria-current");
  }
}

/**
 * Shows the way to the fleet's page, where a fleet is described.
 * @param {boolean} is
 */
export function showFleet(is) {
  fleet = is;
  const way = document.querySelector(`#top nav a[href="${FLEET}"]`);
  if (way) way.hidden = !is;
}

/**
 * Says whether what is shown is of now.
 * @param {boolean} is
 * @param {number} asOf of when it is else, in milliseconds since 1970
 */
export function showLive(is, asOf) {
  document.documentElement.classList.toggle("stale", !is);
  state.dataset.live = is;
  if (is && live) return;
  live = is;
  setContent(state, sign(is ? "good" : "bad"), is ? "Live" : `Reconnecting…, as of ${clockTime(asOf)}`);
}

function themeButton() {
  const theme = () => document.documentElement.dataset.theme ?? "system";
  const label = () => `Theme: ${theme()}`;
  const change = () => {
    const next = THEMES[theme()];
    if (next === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    try {
      localStorage.setItem("farol-theme", next);
    } catch {
      // Without storage it holds for this page only.
    }
    show();
  };
  const it = button("", change, { class: "quiet icon" });
  const show = () => {
    it.setAttribute("aria-label", label());
    it.title = label();
    it.replaceChildren(
      svg(
        "svg",
        { class: "sign", viewBox: "0 0 16 16", "aria-hidden": "true" },
        svg("path", { class: "outline", d: ICONS[theme()] }),
      ),
    );
  };
  show();
  return it;
}

const KEYS = [
  ["/", "to the filter"],
  ["g o", "overview"],
  ["g s", "sites"],
  ["g f", "fleet, where one is described"],
  ["g a", "audit"],
  ["g h", "history"],
  ["?", "these keys"],
  ["Esc", "closes a dialog; changes nothing"],
  ["← →", "a weight's slider"],
  ["Enter", "in a weight: on to its plan"],
];

function showKeys() {
  openDialog("Keys", () => [
    h(
      "dl",
      { class: "keys" },
      KEYS.map(([key, what]) => [
        h(
          "dt",
          null,
          key.split(" ").map((it) => h("kbd", null, it)),
        ),
        h("dd", null, what),
      ]),
    ),
  ]);
}

/** Listens to the keys that lead somewhere. */
export function listenToKeys() {
  let going = 0;
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input:not([type=range]):not([type=checkbox]), select, textarea");
    if (!me || typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]"))
      return;
    const place = PLACES.find(([href, , key]) => key === event.key && (fleet || href !== FLEET));
    if (event.key === "/") {
      const filter = document.querySelector("[data-filter]");
      if (!filter) return;
      filter.focus();
      filter.select();
    } else if (event.key === "?") showKeys();
    else if (going && place && Date.now() - going < 1500) location.hash = place[0];
    else {
      going = event.key === "g" ? Date.now() : 0;
      return;
    }
    going = 0;
    event.preventDefault();
  });
}
