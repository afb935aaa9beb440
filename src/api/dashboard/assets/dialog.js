// Dialogs: modal, closed by Escape, and the focus goes back to where it was.

import { button, h } from "./dom.js";

let lastId = 0;

/**
 * Opens a dialog.
 * @param {string} title
 * @param {(close: () => void) => Node[]} build what is in it
 * @param {{wide?: boolean, closed?: () => void}} [options] `closed` is called when it is gone
 * @returns {{element: HTMLDialogElement, close: () => void}}
 */
export function openDialog(title, build, { wide, closed } = {}) {
  const before = document.activeElement;
  const id = `dialog-${++lastId}`;
  const element = h("dialog", { class: wide ? "wide" : "", "aria-labelledby": id });
  const close = () => element.close();
  element.addEventListener("close", () => {
    element.remove();
    closed?.();
    if (before?.isConnected) before.focus();
    else document.getElementById("main").focus();
  });
  element.append(
    h("header", null, h("h2", { id }, title), button("✕", close, { class: "quiet close", "aria-label": "Close" })),
    ...build(close),
  );
  document.body.append(element);
  element.showModal();
  return { element, close };
}

/** Closes every dialog, as when who is signed in is signed in no more. */
export function closeDialogs() {
  document.querySelectorAll("dialog[open]").forEach((it) => it.close());
}
