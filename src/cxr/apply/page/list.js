// The list of images: thumbnail, name and state each; the one shown is marked.

import { $, newCanvas, icon, make } from "./dom.js";
import { stateOf } from "./words.js";

const SIDE = 52;

export class List {
  #rows = new Map();

  constructor(session) {
    this.session = session;
    session.addEventListener("list", () => this.#updateAll());
    session.addEventListener("image", ({ detail }) => this.#update(detail));
    session.addEventListener("shown", () => this.#markShown());
  }

  #updateAll() {
    const { images } = this.session;
    for (const image of images) if (!this.#rows.has(image)) this.#rows.set(image, this.#row(image));
    for (const image of this.#rows.keys()) if (!images.includes(image)) this.#rows.delete(image);
    $("list").replaceChildren(...images.map((image) => this.#rows.get(image)));
    $("count").textContent = images.length ? `(${images.length})` : "";
    $("clear").hidden = images.length === 0;
  }

  #row(image) {
    const button = make("button", { type: "button", class: "image", title: image.name });
    button.addEventListener("click", () => this.session.show(image));
    const row = make("li", {}, button);
    this.#rows.set(image, row);
    this.#update(image);
    return row;
  }

  #update(image) {
    const button = this.#rows.get(image)?.firstChild;
    if (!button) return;
    const { icon: sign, text, turning } = stateOf(image);
    const mark = icon(sign);
    if (turning) mark.classList.add("turning");
    button.replaceChildren(
      make("span", { class: "thumb", "aria-hidden": "true" }, image.thumb ?? newCanvas(SIDE, SIDE)),
      make("span", { class: "image-text" },
        make("span", { class: "image-name" }, image.name),
        make("span", { class: "image-state" }, mark, make("span", {}, text))),
    );
  }

  #markShown() {
    for (const [image, row] of this.#rows) {
      const shown = image === this.session.shown;
      row.firstChild.setAttribute("aria-current", String(shown));
      if (shown) row.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  }
}
