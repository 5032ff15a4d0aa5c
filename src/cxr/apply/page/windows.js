// The controls of the window: sliders, presets, invert, reset, drags and keys, all of one state.

import { $ } from "./dom.js";
import { firstWindow, preset } from "./develop.js";

export class Windows {
  #film = null;

  constructor(viewer) {
    this.viewer = viewer;
    for (const name of ["centre", "width"]) {
      $(name).addEventListener("input", () => this.set({ [name]: Number($(name).value) }));
    }
    $("preset").addEventListener("change", () => this.#preset($("preset").value));
    $("invert").addEventListener("click", () => this.invert());
    viewer.addEventListener("drag", ({ detail }) => this.nudge(detail.x, detail.y));
  }

  show(film) {
    this.#film = film;
    if (!film?.pixels) return;
    film.view ??= { ...firstWindow(film.pixels), preset: "first" };
    const most = film.pixels.maximum;
    Object.assign($("centre"), { min: 0, max: most });
    Object.assign($("width"), { min: 1, max: Math.max(most, Math.ceil(film.view.width)) });
    this.#tell();
  }

  set(changes, name = "own") {
    if (!this.#film?.view) return;
    Object.assign(this.#film.view, { preset: name }, changes);
    this.viewer.window(this.#film.view);
    this.#tell();
  }

  invert() {
    const view = this.#film?.view;
    if (view) this.set({ invert: !view.invert }, view.preset);
  }

  reset() {
    if (this.#film?.pixels) this.set(firstWindow(this.#film.pixels), "first");
  }

  /** By screen pixels: up is brighter, right is softer. */
  nudge(right, down) {
    const view = this.#film?.view;
    if (!view) return;
    const { maximum } = this.#film.pixels;
    const step = Math.max(view.width, maximum / 20) / 300;
    const centre = Math.min(maximum * 1.5, Math.max(-maximum / 2, view.centre + step * down));
    this.set({ centre, width: Math.min(4 * maximum, Math.max(1, view.width + step * right)) });
  }

  #preset(name) {
    if (this.#film?.pixels) this.set(preset(this.#film.pixels, name), name);
  }

  #tell() {
    const { centre, width, invert, preset: name } = this.#film.view;
    $("centre").value = centre;
    $("width").value = width;
    $("centre-out").value = Math.round(centre);
    $("width-out").value = Math.round(width);
    $("preset").value = name;
    $("invert").setAttribute("aria-pressed", String(invert));
  }
}
