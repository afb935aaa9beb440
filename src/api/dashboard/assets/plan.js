// A change is planned, looked at and then made. Nothing is changed before its consequences are on the screen.

import { Refusal, call, me, offers, whyNot } from "./api.js";
import { openDialog } from "./dialog.js";
import { announce, button, field, h, setText } from "./dom.js";
import { dateTime, sign } from "./format.js";
import { setContent } from "./update.js";

const LOOKING = "What would happen is being looked up";
const UNITS = { min_healthy_endpoints: "healthy endpoints", min_sites: "sites", min_capacity: "% of the capacity" };

/**
 * @typedef {object} Plan a change that is not made yet
 * @property {() => string} confirm what the button says: "Drain seattle"
 * @property {() => {method: string, path: string, body: object, etag?: string}} request what is asked of the daemon
 * @property {(signal: AbortSignal) => Promise<Node>} [preview] what answers would be
 * @property {boolean} [needsReason]
 * @property {boolean} [sets] whether it sets something, which may expire; true unless it is said
 * @property {HTMLElement[]} [fields] more to fill in; the request reads them
 * @property {(answer: object) => void} done it was made
 */

/**
 * The form of a plan: what would happen, the terms, and the button that names what it does.
 * @param {Plan} plan
 * @param {() => void} cancel
 * @returns {{element: HTMLFormElement, check: (wait?: number) => Promise<void>}} `check` finds out again what would
 *   happen, after so many milliseconds; until it has, nothing can be done
 */
export function planForm(plan, cancel) {
  const outcome = h("div", { class: "outcome", "aria-live": "polite" });
  const refusal = h("div", { class: "refusal", role: "alert" });
  const reason = h("input", { type: "text", maxlength: 1000, autocomplete: "off", required: plan.needsReason });
  const expires = h("input", { type: "text", placeholder: "never", list: "spans", autocomplete: "off" });
  const within = h("select", null, h("option", { value: "" }, "no"),
    ["1m", "2m", "5m", "15m", "30m"].map((it) => h("option", { value: it }, it.replace("m", " min"))));
  const worse = h("input", { type: "checkbox" });
  const override = h("input", { type: "text", maxlength: 1000, autocomplete: "off" });
  const overriding = h("div", { class: "overriding", hidden: true },
    field("Pass over the guardrails, because", override, "Only for admins; it is kept in the audit log."));
  const confirm = h("button", { type: "submit", class: "primary" }, plan.confirm());
  const switches = h("div", { class: "terms", hidden: true },
    field("Undo unless confirmed within", within),
    h("div", { class: "field check" }, h("label", null, worse, "Undo by itself if health gets worse")));
  const element = h("form", { class: "plan" }, outcome, h("div", { class: "asks" }, plan.fields ?? [],
    h("div", { class: "terms" },
      field(plan.needsReason ? "Reason" : "Reason (optional)", reason),
      plan.sets === false ? null : field("Ends by itself", expires, "after 30m, 2h …, or at a time in RFC 3339")),
    switches, overriding, refusal,
    h("div", { class: "actions" }, confirm, button("Cancel", cancel, { class: "quiet" }))));
  offers().then((it) => (switches.hidden = !it.pending), () => {});

  let checking;
  let blocked = whyNot() ?? LOOKING;
  let busy = false;
  const settle = () => {
    setText(confirm, plan.confirm());
    const passedOver = blocked !== LOOKING && !overriding.hidden && override.value.trim();
    confirm.disabled = busy || Boolean(blocked && !passedOver);
    confirm.title = blocked ?? "";
  };
  override.addEventListener("input", settle);

  const terms = () => ({
    reason: reason.value.trim() || undefined,
    expires: expires.value.trim() || undefined,
    confirm_within: within.value || undefined,
    undo_if_worse: worse.checked || undefined,
    override_guardrail: (!overriding.hidden && override.value.trim()) || undefined,
  });

  async function check(wait = 0) {
    checking?.abort();
    const { signal } = (checking = new AbortController());
    blocked = whyNot() ?? LOOKING;
    settle();
    await new Promise((go) => setTimeout(go, wait));
    if (signal.aborted) return;
    const { method, path, body } = plan.request();
    element.setAttribute("aria-busy", "true");
    const [answers, trial] = await Promise.allSettled([
      plan.preview?.(signal),
      whyNot() ? null : call(method, path, { ...body, dry_run: true }, { signal }),
    ]);
    if (signal.aborted) return;
    element.removeAttribute("aria-busy");
    blocked = whyNot();
    const told = answers.status === "fulfilled" ? answers.value : problemOf(answers.reason, "What would happen can't be told");
    const refused = trial.status === "rejected" ? trial.reason : null;
    if (refused) blocked = refused.message;
    const guarded = refused?.breaches?.length > 0;
    overriding.hidden = !(guarded && me?.role === "admin");
    setContent(outcome, told ?? null, refused ? problemOf(refused, "It would be refused") : null,
      whyNot() ? h("p", { class: "hint" }, whyNot()) : null);
    if (refused) announce(`It would be refused: ${refused.message}`);
    settle();
  }

  async function make() {
    if (busy) return;
    busy = true;
    refusal.replaceChildren();
    settle();
    try {
      const { method, path, body, etag } = plan.request();
      const answer = await call(method, path, { ...body, ...terms() }, { etag });
      announce(`Done: ${plan.confirm()}`);
      plan.done(answer);
    } catch (error) {
      refusal.replaceChildren(problemOf(error, "It was refused"));
      if (error.breaches?.length > 0 && me?.role === "admin") overriding.hidden = false;
    } finally {
      busy = false;
      settle();
    }
  }

  element.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!confirm.disabled) make();
  });
  settle();
  return { element, check };
}

/**
 * Opens a plan in a dialog of its own.
 * @param {string} title
 * @param {Plan} plan
 * @param {{wide?: boolean}} [options]
 */
export function openPlan(title, plan, options) {
  let form;
  const { element, close } = openDialog(title, (close) => {
    form = planForm({ ...plan, done: (answer) => (close(), plan.done(answer)) }, close);
    return [form.element];
  }, options);
  for (const it of plan.fields ?? []) it.addEventListener("change", () => form.check());
  element.querySelector("form input:not([type=checkbox])")?.focus();
  form.check();
  return close;
}

/**
 * A refusal in full: what was said, and each guardrail that stands against it.
 * @param {Error} error
 * @param {string} title
 * @returns {HTMLElement}
 */
export function problemOf(error, title) {
  const breaches = (error.breaches ?? []).map((it) => h("li", null,
    h("b", null, [it.profile, it.endpoint].filter(Boolean).join(" ")), ` ${it.guardrail} = ${it.limit}: `,
    it.guardrail === "max_weight_step"
      ? `the weight would go from ${it.now} to ${it.then}`
      : `${it.then} of ${it.now} ${UNITS[it.guardrail] ?? ""} would be left`));
  const guarded = breaches.length > 0;
  const changed = error instanceof Refusal && error.status === 412;
  return h("div", { class: "problem" }, sign(guarded ? "severe" : "bad"), h("div", null,
    h("strong", null, guarded ? `${title} by guardrails` : title),
    guarded ? h("ul", null, breaches) : h("p", null, changed
      ? "Somebody else has changed it meanwhile. What is in force now is shown above; look at it and try again."
      : error.message)));
}

/**
 * When something ends, in words.
 * @param {string|undefined} expires RFC 3339
 */
export const endOf = (expires) => (expires ? `ends ${dateTime(expires)}` : "stays until it is cleared");
