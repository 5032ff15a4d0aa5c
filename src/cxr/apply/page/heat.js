// The heat map: requested on demand, coloured here, laid over the image.

import { explain } from "./api.js";
import { $, announce, newCanvas } from "./dom.js";
import { retryWhileBusy } from "./queue.js";
import { frameOf, heatNote } from "./words.js";

export class Heat {
  #image = null;
  #explaining = null; // the image whose heat map is being computed
  #error = "";
  on = false;

  constructor(session, viewer) {
    Object.assign(this, { session, viewer });
    $("heat").addEventListener("click", () => this.toggle());
    $("heat-hide").addEventListener("click", () => this.toggle());
    $("opacity").addEventListener("input", () => {
      $("opacity-out").value = `${$("opacity").value} %`;
      viewer.setOpacity($("opacity").value / 100);
    });
  }

  /** Stays on from image to image where the next one has been explained too. */
  show(image) {
    this.#image = image;
    this.#error = "";
    if (!image?.explanation) this.on = false;
    this.#update();
  }

  async toggle() {
    const image = this.#image;
    if (!image?.prediction || $("explanation").hidden || this.#explaining === image) return;
    if (this.on && document.activeElement === $("heat-hide")) $("heat").focus();
    this.on = !this.on;
    if (this.on && !image.explanation) await this.#request(image);
    this.#update();
  }

  async #request(image) {
    this.#explaining = image;
    this.#error = "";
    this.#update();
    try {
      const answer = await retryWhileBusy(() => explain(image.file));
      this.session.change(image, { explanation: { ...answer, canvas: await coloured(answer.heat) } });
      if (image === this.#image) announce(heatNote(image.explanation));
    } catch (error) {
      if (image === this.#image) this.#error = error.message;
      this.on = false;
    }
    this.#explaining = null;
  }

  #update() {
    const image = this.#image;
    const busy = image !== null && this.#explaining === image;
    const explanation = this.on && !busy ? image?.explanation : null;
    const box = explanation ? frameOf(explanation) : null;
    this.viewer.overlay(explanation?.canvas ?? null, box);
    $("heat-bar").hidden = !explanation;
    $("heat").textContent = busy ? "Computing the heat map…" : explanation ? "Hide heat map" : "Show heat map";
    $("heat").setAttribute("aria-pressed", String(Boolean(explanation)));
    $("heat").setAttribute("aria-disabled", String(busy));
    $("heat-note").textContent = this.#error || heatNote(image?.explanation);
    $("legend-frame").hidden = !box;
    if (explanation) $("legend-text").textContent = `raises ${explanation.explained} most`;
  }
}

/** An 8-bit grey PNG in base64 as yellow to red, the clearer the weaker: no effect is unseen. */
async function coloured(base64) {
  const grey = await bitmap(base64);
  const canvas = newCanvas(grey.width, grey.height);
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
