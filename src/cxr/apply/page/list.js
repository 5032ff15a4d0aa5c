// The images of this session: an image, a name and a word each; the one shown is marked.

import { $, blank, icon, make } from "./dom.js";
import { state } from "./words.js";

const SIDE = 52;

export class List {
  #rows = new Map();

  constructor(session) {
    this.session = session;
    session.addEventListener("list", () => this.#all());
    session.addEventListener("image", ({ detail }) => this.#one(detail));
    session.addEventListener("shown", () => this.#mark());
  }

  #all() {
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
    this.#one(image);
    return row;
  }

  #one(image) {
    const button = this.#rows.get(image)?.firstChild;
    if (!button) return;
    const { icon: sign, text, turning } = state(image);
    const mark = icon(sign);
    if (turning) mark.classList.add("turning");
    button.replaceChildren(
      make("span", { class: "thumb", "aria-hidden": "true" }, image.thumb ?? blank(SIDE, SIDE)),
      make("span", { class: "image-words" },
        make("span", { class: "image-name" }, image.name),
        make("span", { class: "image-state" }, mark, make("span", {}, text))),
    );
  }

  #mark() {
    for (const [image, row] of this.#rows) {
      const shown = image === this.session.shown;
      row.firstChild.setAttribute("aria-current", String(shown));
      if (shown) row.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  }
}
