// Finds out who is signed in, shows the page that the address names, and keeps it up to date.

import { Refusal, get, me, signOut, whoAmI } from "./api.js";
import { closeDialogs } from "./dialog.js";
import { button, h } from "./dom.js";
import { keepTrue } from "./format.js";
import { Live } from "./live.js";
import { overview } from "./overview.js";
import { pendingList } from "./pending.js";
import { here } from "./route.js";
import { listenToKeys, markPlace, showFleet, showLive, showShell } from "./shell.js";
import { signInPage } from "./signin.js";
import { setContent } from "./update.js";

// What is shown is looked up again this often, and when something happens, but then not more often than SPACING.
const PERIOD = 5000;
const SPACING = 2500;
// The second look comes early: answers per second take two.
const SECOND = 1200;

const PAGES = {
  "": () => overview,
  profiles: async () => (await import("./profile.js")).profilePage,
  sites: async () => (await import("./sites.js")).sites,
  fleet: async () => (await import("./fleet.js")).fleet,
  audit: async () => (await import("./audit.js")).audit,
  history: async () => (await import("./history.js")).history,
};

const main = document.getElementById("main");
let page = null;
let visit = 0;
let looking = null;
let again = false;
let lastLook = 0;
let timer = 0;

let pending = null;

const live = new Live({ news: heard, state: showLive, refused: () => checkSession() });

/** What a happening means for what is shown. */
function heard(kind) {
  if (kind === "reset" || kind === "reload") findFleet();
  soon();
}

/** Finds out whether a fleet is described. Who is limited to profiles may not see it. */
async function findFleet() {
  if (me?.profiles !== null) return;
  const fleet = await get("/v1/fleet").catch(() => null);
  if (fleet) showFleet(fleet.drift !== null);
}

/** Looks up again at once what is shown, also where that is being done. */
function refresh() {
  clearTimeout(timer);
  if (looking) again = true;
  else look();
}

/** Looks up again what is shown, unless that was done a moment ago: then a little later. */
function soon() {
  if (!page || document.hidden) return;
  const wait = lastLook + SPACING - Date.now();
  clearTimeout(timer);
  timer = setTimeout(refresh, Math.max(0, wait));
}

async function look() {
  if (!page || looking) return;
  const { signal } = (looking = new AbortController());
  const shown = page;
  lastLook = Date.now();
  try {
    const [, { pending: waiting }] = await Promise.all([shown.load(signal), get("/v1/changes", {}, signal)]);
    if (signal.aborted) return;
    pending.update(waiting);
    shown.problem.replaceChildren();
    shown.element.hidden = false;
    live.answered(true);
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof Refusal)) throw error;
    live.answered(error.status !== 0 && error.status < 500);
    if (me) showProblem(shown, error);
  } finally {
    if (looking?.signal === signal) looking = null;
    if (again) {
      again = false;
      look();
    } else if (page === shown) {
      clearTimeout(timer);
      // A page with a period of its own rests while nobody sees it; the others keep their titles true.
      const rests = shown.period && document.hidden;
      const wait = shown.looks++ === 0 ? SECOND : (shown.period ?? PERIOD);
      if (!rests) timer = setTimeout(refresh, wait);
    }
  }
}

function showProblem(shown, error) {
  const known = !shown.element.hidden && error.status === 0;
  if (known) return;
  const [place, path] = shown.back ?? ["Overview", "#/"];
  setContent(
    shown.problem,
    h(
      "div",
      { class: "panel problem", role: "alert" },
      h(
        "div",
        null,
        h("strong", null, error.status === 404 ? "There is no such thing" : "It could not be looked up"),
        h("p", null, error.message),
        h("div", { class: "actions" }, button("Try again", refresh), h("a", { href: path }, place)),
      ),
    ),
  );
}

async function show() {
  const own = ++visit;
  looking?.abort();
  looking = null;
  again = false;
  clearTimeout(timer);
  closeDialogs();
  if (!me) return;
  const {
    path,
    parts: [kind, ...params],
    query,
  } = here();
  const make = await PAGES[kind in PAGES ? kind : ""]();
  if (own !== visit || !me) return;
  const problem = h("div");
  const waiting = h("p", { class: "hint waiting", role: "status" }, "Looking it up…");
  const reveal = () => {
    waiting.remove();
    if (page?.element.hidden) page.element.hidden = false;
  };
  page = { ...make({ refresh, reveal, params, query }), problem, looks: 0 };
  page.element.hidden = true;
  main.replaceChildren(pending.element, waiting, problem, page.element);
  document.title = `${page.title} · Farol`;
  markPlace(path);
  window.scrollTo(0, 0);
  if (own > 1) main.focus({ preventScroll: true });
  await look();
  waiting.remove();
}

function enter() {
  showFleet(false);
  showShell({ leave });
  pending = pendingList(refresh);
  live.start();
  show();
}

function askToSignIn(why) {
  visit += 1;
  page = null;
  looking?.abort();
  looking = null;
  clearTimeout(timer);
  live.stop();
  closeDialogs();
  showShell({ leave });
  document.title = "Sign in · Farol";
  document.documentElement.classList.remove("stale");
  const form = signInPage(enter, why);
  main.replaceChildren(form);
  form.querySelector("input[type=password]").focus();
}

async function leave() {
  live.stop();
  await signOut().catch(() => {});
  askToSignIn("You are signed out.");
}

/** After a connection was refused: perhaps nobody is signed in any more. */
async function checkSession() {
  await whoAmI().catch(() => {});
}

async function begin() {
  try {
    await whoAmI();
    enter();
  } catch (error) {
    if (error.status === 401) return askToSignIn(null);
    showShell({ leave });
    main.replaceChildren(h("div", { class: "panel problem", role: "alert" }, h("p", null, error.message)));
    setTimeout(begin, PERIOD);
  }
}

document.addEventListener("signed-out", () =>
  askToSignIn("The session is over. Sign in, and you are back where you were."),
);
document.addEventListener("visibilitychange", soon);
window.addEventListener("hashchange", show);
setInterval(() => keepTrue(document), 1000);
listenToKeys();
begin();
