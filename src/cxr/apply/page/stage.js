// The middle of the page: the image shown, with its tools, or what stands there without one.

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

  show(image) {
    const pixels = image?.pixels ?? null;
    this.windows.show(image);
    $("canvas").hidden = !pixels;
    $("landing").hidden = image !== null;
    for (const name of ["tools", "sliders"]) $(name).hidden = image === null;
    $("sliders").classList.toggle("idle", !pixels);
    this.viewer.show(pixels, image?.view);
    this.heat.show(image);
    this.#showPosition(image);
    this.message(image && !pixels ? placeholder(image) : "");
    if (!pixels) return;
    const size = `${pixels.width} × ${pixels.height}`;
    $("image-size").textContent = `${size} ${pixels.kind.toUpperCase()}`;
    $("canvas").setAttribute("aria-label", `Image ${image.name}, ${size} pixels`);
  }

  message(text) {
    $("stage-message").textContent = text;
    $("stage-message").hidden = !text;
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

  #showPosition(image) {
    const { images } = this.session;
    const at = images.indexOf(image);
    $("position").textContent = image ? `${at + 1} of ${images.length}` : "";
    $("previous").disabled = at <= 0;
    $("next").disabled = at >= images.length - 1;
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

function placeholder(image) {
  if (image.state === "failed") return "No image to show";
  return image.displayError ?? "Loading the image…";
}
