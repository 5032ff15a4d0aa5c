// The films of this session: a picture, a name and a word each; the one shown is marked.

import { $, blank, icon, make } from "./dom.js";
import { state } from "./words.js";

const SIDE = 52;

export class List {
  #rows = new Map();

  constructor(session) {
    this.session = session;
    session.addEventListener("list", () => this.#all());
    session.addEventListener("film", ({ detail }) => this.#one(detail));
    session.addEventListener("shown", () => this.#mark());
  }

  #all() {
    const { films } = this.session;
    for (const film of films) if (!this.#rows.has(film)) this.#rows.set(film, this.#row(film));
    for (const film of this.#rows.keys()) if (!films.includes(film)) this.#rows.delete(film);
    $("list").replaceChildren(...films.map((film) => this.#rows.get(film)));
    $("count").textContent = films.length ? `(${films.length})` : "";
    $("clear").hidden = films.length === 0;
  }

  #row(film) {
    const button = make("button", { type: "button", class: "film", title: film.name });
    button.addEventListener("click", () => this.session.show(film));
    const row = make("li", {}, button);
    this.#rows.set(film, row);
    this.#one(film);
    return row;
  }

  #one(film) {
    const button = this.#rows.get(film)?.firstChild;
    if (!button) return;
    const { icon: sign, text, turning } = state(film);
    const mark = icon(sign);
    if (turning) mark.classList.add("turning");
    button.replaceChildren(
      make("span", { class: "thumb", "aria-hidden": "true" }, film.thumb ?? blank(SIDE, SIDE)),
      make("span", { class: "film-words" },
        make("span", { class: "film-name" }, film.name),
        make("span", { class: "film-state" }, mark, make("span", {}, text))),
    );
  }

  #mark() {
    for (const [film, row] of this.#rows) {
      const shown = film === this.session.shown;
      row.firstChild.setAttribute("aria-current", String(shown));
      if (shown) row.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  }
}
