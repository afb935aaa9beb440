// Changes that undo themselves unless somebody confirms them.

import { call, whyNot } from "./api.js";
import { announce, button, h, setText } from "./dom.js";
import { timeTag } from "./format.js";
import { problemOf } from "./plan.js";
import { reconcile, setContent } from "./update.js";

/**
 * The changes that are pending, each with what to do about it.
 * @param {() => void} changed what is shown is to be looked up again
 * @returns {{element: HTMLElement, update: (pending: object[]) => void}}
 */
export function pendingList(changed) {
  const list = h("ul", { class: "pending" });
  const element = h("section", { class: "panel urgent", hidden: true, "aria-labelledby": "pending-title" },
    h("h2", { id: "pending-title" }, "Waiting for your word"), list);
  return {
    element,
    update(pending) {
      element.hidden = pending.length === 0;
      reconcile(list, pending, (it) => String(it.id), (it) => item(it, changed));
    },
  };
}

function item({ id }, changed) {
  const text = h("div", { class: "what" });
  const refusal = h("div", { role: "alert" });
  const act = async (verb, done) => {
    refusal.replaceChildren();
    try {
      await call("POST", `/v1/changes/${id}/${verb}`, {});
      announce(done);
    } catch (error) {
      refusal.replaceChildren(problemOf(error, "It was refused"));
    }
    changed();
  };
  const confirm = button("Confirm", () => act("confirm", "Confirmed"), { class: "primary" });
  const undo = button("Undo now", () => act("undo", "Undone"));
  for (const it of [confirm, undo]) {
    it.disabled = whyNot() !== null;
    it.title = whyNot() ?? "";
  }
  const element = h("li", null, text, h("div", { class: "actions" }, confirm, undo), refusal);
  return {
    element,
    update(change) {
      const what = change.changes.join("; ");
      confirm.hidden = !change.needs_confirmation;
      confirm.setAttribute("aria-label", `Confirm: ${what}`);
      undo.setAttribute("aria-label", `Undo now: ${what}`);
      setText(confirm, "Confirm");
      setContent(text, h("b", null, what), " ",
        h("span", { class: "hint" }, `by ${change.by}`, change.reason ? `, ${change.reason}` : "", ", ",
          change.needs_confirmation ? "undone in " : "watched for another ", timeTag(change.until, "left"),
          change.needs_confirmation ? " unless confirmed" : "",
          change.undo_if_worse ? ", at once if health gets worse" : ""));
    },
  };
}
