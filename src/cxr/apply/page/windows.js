// The controls of the window: sliders, presets, invert, reset, drags and keys share one state.

import { $ } from "./dom.js";
import { defaultWindow, preset } from "./render.js";

export class Windows {
  #image = null;

  constructor(viewer) {
    this.viewer = viewer;
    for (const name of ["centre", "width"]) {
      $(name).addEventListener("input", () => this.set({ [name]: Number($(name).value) }));
    }
    $("preset").addEventListener("change", () => this.#preset($("preset").value));
    $("invert").addEventListener("click", () => this.invert());
    viewer.addEventListener("drag", ({ detail }) => this.nudge(detail.x, detail.y));
  }

  show(image) {
    this.#image = image;
    if (!image?.pixels) return;
    image.view ??= { ...defaultWindow(image.pixels), preset: "default" };
    const most = image.pixels.maximum;
    Object.assign($("centre"), { min: 0, max: most });
    Object.assign($("width"), { min: 1, max: Math.max(most, Math.ceil(image.view.width)) });
    this.#update();
  }

  set(changes, name = "custom") {
    if (!this.#image?.view) return;
    Object.assign(this.#image.view, { preset: name }, changes);
    this.viewer.window(this.#image.view);
    this.#update();
  }

  invert() {
    const view = this.#image?.view;
    if (view) this.set({ invert: !view.invert }, view.preset);
  }

  reset() {
    if (this.#image?.pixels) this.set(defaultWindow(this.#image.pixels), "default");
  }

  /** By screen pixels: up is brighter, right is softer. */
  nudge(right, down) {
    const view = this.#image?.view;
    if (!view) return;
    const { maximum } = this.#image.pixels;
    const step = Math.max(view.width, maximum / 20) / 300;
    const centre = Math.min(maximum * 1.5, Math.max(-maximum / 2, view.centre + step * down));
    this.set({ centre, width: Math.min(4 * maximum, Math.max(1, view.width + step * right)) });
  }

  #preset(name) {
    if (this.#image?.pixels) this.set(preset(this.#image.pixels, name), name);
  }

  #update() {
    const { centre, width, invert, preset: name } = this.#image.view;
    $("centre").value = centre;
    $("width").value = width;
    $("centre-out").value = Math.round(centre);
    $("width-out").value = Math.round(width);
    $("preset").value = name;
    $("invert").setAttribute("aria-pressed", String(invert));
  }
}
