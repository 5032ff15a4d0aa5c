// The images of this tab, in order. Nothing of it is stored anywhere.

const KEPT = 6; // images whose pixels stay in memory: the others are asked for again

export class Session extends EventTarget {
  images = [];
  shown = null;
  #seen = []; // last used last

  /** Images are {id, file, name, state, ...}; state: waiting, sending, busy, done or failed. */
  add(files) {
    const added = Array.from(files, (file) => ({
      id: crypto.randomUUID?.() ?? `image-${Math.random()}`, // only where the page is not secure
      file,
      name: file.name,
      state: "waiting",
      record: null, // what /predict said
      error: null,
      pixels: null, // what /image gave
      view: null, // its window
      why: null, // what /explain said
    }));
    this.images.push(...added);
    this.#tell("list");
    if (added.length) this.show(added[0]);
    return added;
  }

  change(image, changes) {
    Object.assign(image, changes);
    this.#tell("image", image);
    if (changes.pixels) this.#keep(image);
    if (changes.pixels || changes.unseen || changes.state === "failed") this.#tell("image", image);
  }

  show(image) {
    this.shown = image;
    if (image?.pixels) this.#keep(image);
    this.#tell("shown", image);
  }

  step(by) {
    const at = this.images.indexOf(this.shown) + by;
    if (this.images[at]) this.show(this.images[at]);
  }

  clear() {
    this.images = [];
    this.#seen = [];
    this.#tell("list");
    this.show(null);
  }

  #keep(image) {
    this.#seen = [...this.#seen.filter((one) => one !== image), image];
    const most = this.#seen.length - KEPT;
    const forgotten = this.#seen.filter((one) => one !== this.shown).slice(0, Math.max(0, most));
    for (const one of forgotten) one.pixels = null;
    this.#seen = this.#seen.filter((one) => one.pixels);
  }

  #tell(what, image = null) {
    this.dispatchEvent(new CustomEvent(what, { detail: image }));
  }
}
