// The heat map: asked for on demand, coloured here, laid over the film.

import { explain } from "./api.js";
import { $, announce, blank } from "./dom.js";
import { patiently } from "./queue.js";
import { heatWords } from "./words.js";

export class Heat {
  #film = null;
  #busy = null; // the film that is being explained
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

  /** Stays on from film to film where the next one has been explained too. */
  show(film) {
    this.#film = film;
    this.#error = "";
    if (!film?.why) this.on = false;
    this.#tell();
  }

  async toggle() {
    const film = this.#film;
    if (!film?.record || $("why").hidden || this.#busy === film) return;
    if (this.on && document.activeElement === $("heat-hide")) $("heat").focus();
    this.on = !this.on;
    if (this.on && !film.why) await this.#ask(film);
    this.#tell();
  }

  async #ask(film) {
    this.#busy = film;
    this.#error = "";
    this.#tell();
    try {
      const said = await patiently(() => explain(film.file));
      this.session.change(film, { why: { ...said, canvas: await coloured(said.heat) } });
      if (film === this.#film) announce(heatWords(film.why));
    } catch (error) {
      if (film === this.#film) this.#error = error.message;
      this.on = false;
    }
    this.#busy = null;
  }

  #tell() {
    const film = this.#film;
    const busy = film !== null && this.#busy === film;
    const why = this.on && !busy ? film?.why : null;
    this.viewer.cover(why?.canvas ?? null);
    $("heat-bar").hidden = !why;
    $("heat").textContent = busy ? "Working out the heat map…" : why ? "Hide heat map" : "Show heat map";
    $("heat").setAttribute("aria-pressed", String(Boolean(why)));
    $("heat").setAttribute("aria-disabled", String(busy));
    $("heat-words").textContent = this.#error || heatWords(film?.why);
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
