// Signing in by a token.

import { signIn } from "./api.js";
import { field, h } from "./dom.js";
import { problemOf } from "./plan.js";

/**
 * The page that asks for a token.
 * @param {() => void} done who is signed in is known now
 * @param {string|null} why what to say first
 * @returns {HTMLElement}
 */
export function signInPage(done, why) {
  const token = h("input", { type: "password", required: true, autocomplete: "current-password", spellcheck: "false", name: "token" });
  const refusal = h("div", { role: "alert" }, why ? h("p", { class: "hint" }, why) : null);
  const submit = h("button", { type: "submit", class: "primary" }, "Sign in");
  const enter = async (event) => {
    event.preventDefault();
    submit.disabled = true;
    refusal.replaceChildren();
    try {
      await signIn(token.value.trim());
      done();
    } catch (error) {
      refusal.replaceChildren(problemOf(error, error.status === 401 ? "This token opens nothing" : "Signing in failed"));
      token.select();
    } finally {
      submit.disabled = false;
    }
  };
  // Browsers keep a password by the name beside it.
  const name = h("input", { type: "text", class: "unseen", autocomplete: "username", value: "farol", tabindex: -1, "aria-hidden": "true" });
  return h("section", { class: "panel sign-in" }, h("img", { src: "/assets/icon.svg", alt: "", width: 44, height: 44 }),
    h("h1", null, "Sign in to Farol"),
    h("form", { on: { submit: enter } }, name, field("Token", token,
      "The first token is in the file admin.token in the state directory; others are made by farol token create."),
    refusal, submit));
}
