// The heat map: asked for on demand, coloured here, laid over the image.

import { explain } from "./api.js";
import { $, announce, blank } from "./dom.js";
import { patiently } from "./queue.js";
import { heatWords } from "./words.js";

export class Heat {
  #image = null;
  #busy = null; // the image that is being explained
  #error = "";
  on = false;

  constructor(session, viewer) {
    Object.assign(this, { session, viewer });
    $("heat").addEventListener("click", () => this.toggle());
    $("heat-hide").addEventListener("click", () => this.toggle());
    $("opacity").addEventListener("input", () => {
      $("opacity-out").value = `${$("opacity").value} %`;
      viewer.fade($("opacity").value / 100);
    });
  }

  /** Stays on from image to image where the next one has been explained too. */
  show(image) {
    this.#image = image;
    this.#error = "";
    if (!image?.why) this.on = false;
    this.#tell();
  }

  async toggle() {
    const image = this.#image;
    if (!image?.record || $("why").hidden || this.#busy === image) return;
    if (this.on && document.activeElement === $("heat-hide")) $("heat").focus();
    this.on = !this.on;
    if (this.on && !image.why) await this.#ask(image);
    this.#tell();
  }

  async #ask(image) {
    this.#busy = image;
    this.#error = "";
    this.#tell();
    try {
      const said = await patiently(() => explain(image.file));
      this.session.change(image, { why: { ...said, canvas: await coloured(said.heat) } });
      if (image === this.#image) announce(heatWords(image.why));
    } catch (error) {
      if (image === this.#image) this.#error = error.message;
      this.on = false;
    }
    this.#busy = null;
  }

  #tell() {
    const image = this.#image;
    const busy = image !== null && this.#busy === image;
    const why = this.on && !busy ? image?.why : null;
    this.viewer.cover(why?.canvas ?? null);
    $("heat-bar").hidden = !why;
    $("heat").textContent = busy ? "Working out the heat map…" : why ? "Hide heat map" : "Show heat map";
    $("heat").setAttribute("aria-pressed", String(Boolean(why)));
    $("heat").setAttribute("aria-disabled", String(busy));
    $("heat-words").textContent = this.#error || heatWords(image?.why);
    if (why) $("legend-words").textContent = `raises ${why.explained} most`;
  }
}

/** An 8-bit grey PNG in base64 as yellow to red, the clearer the weaker: no effect is unseen. */
async function coloured(base64) {
  const grey = await bitmap(base64);
  const canvas = blank(grey.width, grey.height);
  const context = canvas.getContext("2d");
  context.drawImage(grey, 0, 0);
  const image = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let i = 0; i < image.data.length; i += 4) {
    const heat = image.data[i];
    image.data.set([255, 255 - heat, 0, heat], i);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

export function bitmap(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return createImageBitmap(new Blob([bytes], { type: "image/png" }));
}
