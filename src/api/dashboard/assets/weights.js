// Weights are planned with sliders: what answers would be shows while they move, and nothing changes before it is applied.

import { profilePath, whyNot } from "./api.js";
import { h, setText } from "./dom.js";
import { previewOf } from "./moves.js";
import { planForm } from "./plan.js";

const SETTLED = 150;
const MOST = 65_535;

/**
 * The weights that are planned for a profile.
 * @param {{profile: () => object, refresh: () => void}} page
 * @returns {{element: HTMLElement, control: (name: string) => object, update: () => void}} `element` is where the plan
 *   shows; `control` makes an endpoint's slider
 */
export function weightPlan(page) {
  const planned = new Map();
  const controls = new Map();
  let seen = "";

  const weightOf = (name) => page.profile().endpoints.find((it) => it.name === name)?.weight;
  const texts = () => [...planned].map(([name, weight]) => `${name} ${weightOf(name)} → ${weight}`);
  const form = planForm({
    confirm: () => `Apply: ${texts().join(", ")}`,
    request,
    preview: (signal) =>
      previewOf(page.profile(), [...planned].map(([endpoint, weight]) => ({ set: { endpoint, weight } })), signal),
    done() {
      const first = controls.get([...planned.keys()][0]);
      forget();
      first?.focus();
      page.refresh();
    },
  }, () => {
    forget();
    for (const it of controls.values()) it.reset();
  });
  const element = h("section", { class: "panel planned", hidden: true, "aria-labelledby": "planned-title" },
    h("h2", { id: "planned-title" }, "What these weights would do"), form.element);

  function request() {
    const { name: profile, etag } = page.profile();
    const [[endpoint, weight] = []] = planned;
    if (planned.size === 1) return { method: "PATCH", path: profilePath(profile, "endpoints", endpoint), body: { weight }, etag };
    const changes = [...planned].map(([endpoint, weight]) => ({ profile, endpoint, weight }));
    return { method: "POST", path: "/v1/changes", body: { changes } };
  }

  function forget() {
    planned.clear();
    element.hidden = true;
  }

  function plan(name, weight) {
    if (weight === weightOf(name)) planned.delete(name);
    else planned.set(name, weight);
    element.hidden = planned.size === 0;
    controls.get(name).mark();
    if (planned.size > 0) form.check(SETTLED);
  }

  return {
    element,
    control(name) {
      const control = weightControl(name, (weight) => plan(name, weight), () => form.element.querySelector("input").focus(),
        () => planned.has(name), () => weightOf(name));
      controls.set(name, control);
      return control;
    },
    update() {
      const { etag } = page.profile();
      if (seen && seen !== etag && planned.size > 0) form.check();
      seen = etag;
    },
  };
}

function weightControl(name, plan, goOn, isPlanned, inForce) {
  const why = whyNot();
  const props = { min: 0, step: 1, disabled: why !== null, title: why ?? "" };
  const slider = h("input", { type: "range", max: 100, "aria-label": `Weight of ${name}`, ...props });
  const number = h("input", { type: "number", max: MOST, required: true, "aria-label": `Weight of ${name}, as a number`, ...props });
  const label = h("span", { class: "hint" }, "weight");
  const set = (from, to) => {
    if (!from.checkValidity()) return;
    to.value = from.value;
    plan(Number(from.value));
  };
  slider.addEventListener("input", () => set(slider, number));
  number.addEventListener("input", () => set(number, slider));
  const element = h("form", { class: "weight", novalidate: true, on: {
    submit(event) {
      event.preventDefault();
      if (number.reportValidity() && isPlanned()) goOn();
    },
  } }, label, slider, number);
  const reset = () => {
    slider.value = number.value = inForce();
  };
  const mark = () => {
    setText(label, isPlanned() ? `weight, now ${inForce()}` : "weight");
    element.classList.toggle("changed", isPlanned());
  };
  return {
    element,
    mark,
    reset() {
      reset();
      mark();
    },
    focus: () => slider.focus(),
    update(endpoint, method) {
      element.hidden = method !== "weighted";
      const most = endpoint.weight <= 100 ? 100 : Math.min(MOST, 10 ** Math.ceil(Math.log10(endpoint.weight + 1)));
      if (!isPlanned()) {
        slider.max = most;
        if (document.activeElement !== number) reset();
      }
      mark();
    },
  };
}
