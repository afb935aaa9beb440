// Building and updating the page. Text is only ever set as text: no HTML is parsed, whatever names and reasons hold.

const SVG = "http://www.w3.org/2000/svg";
const AS_PROPERTY = new Set(["value", "checked", "disabled", "open", "hidden", "htmlFor", "indeterminate"]);

function fill(element, props, children) {
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined) continue;
    if (key === "on") {
      for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    } else if (key === "style") {
      for (const [name, text] of Object.entries(value)) element.style.setProperty(name, text);
    } else if (AS_PROPERTY.has(key)) {
      element[key] = value;
    } else if (value !== false) {
      element.setAttribute(key, value === true ? "" : String(value));
    }
  }
  element.append(...children.flat(Infinity).filter((it) => it !== null && it !== undefined && it !== false));
  return element;
}

/**
 * An HTML element.
 * @param {string} tag its name
 * @param {object?} props attributes; `on` holds listeners, `style` CSS properties
 * @param {...(Node|string|null|false|Array)} children what is in it; null and false are left out
 * @returns {HTMLElement}
 */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/**
 * An SVG element; takes what `h` takes.
 * @returns {SVGElement}
 */
export function svg(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

/**
 * Sets an element's text, if it is another one.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Tells those who listen to the page instead of looking at it.
 * @param {string} text
 */
export function announce(text) {
  setText(document.getElementById("announcer"), text);
}

let lastId = 0;

/**
 * A field with its label.
 * @param {string} label
 * @param {HTMLElement} control an input or a select
 * @param {string} [hint] one line below it
 * @returns {HTMLElement}
 */
export function field(label, control, hint) {
  control.id ||= `f${++lastId}`;
  const note = hint ? h("small", { id: `${control.id}-hint` }, hint) : null;
  if (note) control.setAttribute("aria-describedby", note.id);
  return h("div", { class: "field" }, h("label", { for: control.id }, label), control, note);
}

/**
 * Facts with their names.
 * @param {[string, Node|string][]} facts
 * @returns {HTMLElement}
 */
export function factList(facts) {
  return h("dl", { class: "facts-list" }, facts.map(([name, told]) => h("div", null, h("dt", null, name), h("dd", null, told))));
}

/**
 * A button.
 * @param {string} label
 * @param {() => void} press what it does
 * @param {object} [props] more attributes
 * @returns {HTMLButtonElement}
 */
export function button(label, press, props) {
  return h("button", { type: "button", ...props, on: { click: press } }, label);
}
