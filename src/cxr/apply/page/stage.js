// The middle of the page: the film shown, with its tools, or what stands there without one.

import { $ } from "./dom.js";
import { Heat } from "./heat.js";
import { Viewer } from "./viewer.js";
import { Windows } from "./windows.js";

export class Stage {
  constructor(session) {
    this.session = session;
    this.viewer = new Viewer($("canvas"));
    this.windows = new Windows(this.viewer);
    this.heat = new Heat(session, this.viewer);
    this.#wire();
  }

  show(film) {
    const pixels = film?.pixels ?? null;
    this.windows.show(film);
    $("canvas").hidden = !pixels;
    $("landing").hidden = film !== null;
    for (const name of ["tools", "sliders"]) $(name).hidden = film === null;
    $("sliders").classList.toggle("idle", !pixels);
    this.viewer.show(pixels, film?.view);
    this.heat.show(film);
    this.#where(film);
    this.say(film && !pixels ? blankWords(film) : "");
    if (!pixels) return;
    const size = `${pixels.width} × ${pixels.height}`;
    $("facts").textContent = `${size} ${pixels.kind.toUpperCase()}`;
    $("canvas").setAttribute("aria-label", `Film ${film.name}, ${size} pixels`);
  }

  say(words) {
    $("stage-words").textContent = words;
    $("stage-words").hidden = !words;
  }

  /** What a drag does: "window" or "pan". */
  use(tool) {
    this.viewer.tool = tool;
    $("canvas").dataset.tool = tool;
    for (const radio of document.getElementsByName("tool")) radio.checked = radio.value === tool;
  }

  otherTool() {
    this.use(this.viewer.tool === "pan" ? "window" : "pan");
  }

  reset() {
    this.windows.reset();
    this.viewer.fit();
  }

  #where(film) {
    const { films } = this.session;
    const at = films.indexOf(film);
    $("where").textContent = film ? `${at + 1} of ${films.length}` : "";
    $("previous").disabled = at <= 0;
    $("next").disabled = at >= films.length - 1;
  }

  #wire() {
    const { session, viewer } = this;
    const clicks = {
      previous: () => session.step(-1),
      next: () => session.step(1),
      "zoom-in": () => viewer.zoom(1),
      "zoom-out": () => viewer.zoom(-1),
      fit: () => viewer.fit(),
      reset: () => this.reset(),
    };
    for (const [name, run] of Object.entries(clicks)) $(name).addEventListener("click", run);
    for (const radio of document.getElementsByName("tool")) {
      radio.addEventListener("change", () => this.use(radio.value));
    }
    viewer.addEventListener("zoom", ({ detail }) => {
      $("zoom").value = `${Math.round(100 * detail)} %`;
    });
  }
}

function blankWords(film) {
  if (film.state === "failed") return "No film to show";
  return film.unseen ?? "Loading the film…";
}
