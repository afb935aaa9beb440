// Bringing what is shown up to date without disturbing who reads it: what stays the same stays in place, with the focus.

import { h } from "./dom.js";
import { keepTrue } from "./format.js";

/**
 * Puts something else into an element, unless it would look the same. What two equal nodes do when they are pressed must
 * follow from what they show.
 * @param {Element} element
 * @param {...(Node|string|null|false|Array)} children
 */
export function setContent(element, ...children) {
  const next = h("div", null, children);
  keepTrue(element);
  const [before, after] = [element.childNodes, next.childNodes];
  if (before.length === after.length && [...after].every((it, at) => it.isEqualNode(before[at]))) return;
  element.replaceChildren(...after);
}

/**
 * Makes an element's children be those of `items`, in their order, and keeps those that were there before.
 * @template T
 * @param {Element} parent
 * @param {T[]} items
 * @param {(item: T) => string} keyOf what tells items apart
 * @param {(item: T) => {element: Element, update: (item: T) => void}} make a child, brought up to date by `update`
 */
export function reconcile(parent, items, keyOf, make) {
  const before = parent.reconciled ?? new Map();
  const after = new Map();
  for (const item of items) {
    const key = keyOf(item);
    const child = before.get(key) ?? make(item);
    child.update(item);
    after.set(key, child);
  }
  for (const [key, child] of before) if (after.get(key) !== child) child.element.remove();
  let at = parent.firstElementChild;
  for (const { element } of after.values()) {
    if (element === at) at = at.nextElementSibling;
    else parent.insertBefore(element, at);
  }
  parent.reconciled = after;
}
