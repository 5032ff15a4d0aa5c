// The films of this tab, in order. Nothing of it is stored anywhere.

const KEPT = 6; // films whose pixels stay in memory: the others are asked for again

export class Session extends EventTarget {
  films = [];
  shown = null;
  #seen = []; // last used last

  /** Films are {id, file, name, state, ...}; state: waiting, sending, busy, done or failed. */
  add(files) {
    const added = Array.from(files, (file) => ({
      id: crypto.randomUUID?.() ?? `film-${Math.random()}`, // only where the page is not secure
      file,
      name: file.name,
      state: "waiting",
      record: null, // what /predict said
      error: null,
      pixels: null, // what /film gave
      view: null, // its window
      why: null, // what /explain said
    }));
    this.films.push(...added);
    this.#tell("list");
    if (added.length) this.show(added[0]);
    return added;
  }

  change(film, changes) {
    Object.assign(film, changes);
    this.#tell("film", film);
    if (changes.pixels) this.#keep(film);
    if (changes.pixels || changes.unseen || changes.state === "failed") this.#tell("picture", film);
  }

  show(film) {
    this.shown = film;
    if (film?.pixels) this.#keep(film);
    this.#tell("shown", film);
  }

  step(by) {
    const at = this.films.indexOf(this.shown) + by;
    if (this.films[at]) this.show(this.films[at]);
  }

  clear() {
    this.films = [];
    this.#seen = [];
    this.#tell("list");
    this.show(null);
  }

  #keep(film) {
    this.#seen = [...this.#seen.filter((one) => one !== film), film];
    const most = this.#seen.length - KEPT;
    const forgotten = this.#seen.filter((one) => one !== this.shown).slice(0, Math.max(0, most));
    for (const one of forgotten) one.pixels = null;
    this.#seen = this.#seen.filter((one) => one.pixels);
  }

  #tell(what, film = null) {
    this.dispatchEvent(new CustomEvent(what, { detail: film }));
  }
}
