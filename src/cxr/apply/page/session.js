// The images of this tab, in order. They are stored nowhere.

const MAX_CACHED = 6; // images whose pixels stay in memory: the others are loaded again

export class Session extends EventTarget {
  images = [];
  shown = null;
  #recent = []; // images with pixels, the last used last

  /** Images are {id, file, name, state, ...}; state: waiting, sending, busy, done or failed. */
  add(files) {
    const added = Array.from(files, (file) => ({
      id: crypto.randomUUID?.() ?? `image-${Math.random()}`, // only where the page is not secure
      file,
      name: file.name,
      state: "waiting",
      prediction: null, // the answer of /predict
      error: null,
      pixels: null, // the answer of /image
      view: null, // its window
      explanation: null, // the answer of /explain
    }));
    this.images.push(...added);
    this.#emit("list");
    if (added.length) this.show(added[0]);
    return added;
  }

  change(image, changes) {
    Object.assign(image, changes);
    this.#emit("image", image);
    if (changes.pixels) this.#cache(image);
    if (changes.pixels || changes.displayError || changes.state === "failed") this.#emit("pixels", image);
  }

  show(image) {
    this.shown = image;
    if (image?.pixels) this.#cache(image);
    this.#emit("shown", image);
  }

  step(by) {
    const at = this.images.indexOf(this.shown) + by;
    if (this.images[at]) this.show(this.images[at]);
  }

  clear() {
    this.images = [];
    this.#recent = [];
    this.#emit("list");
    this.show(null);
  }

  #cache(image) {
    this.#recent = [...this.#recent.filter((one) => one !== image), image];
    const excess = Math.max(0, this.#recent.length - MAX_CACHED);
    const evicted = this.#recent.filter((one) => one !== this.shown).slice(0, excess);
    for (const one of evicted) one.pixels = null;
    this.#recent = this.#recent.filter((one) => one.pixels);
  }

  #emit(type, image = null) {
    this.dispatchEvent(new CustomEvent(type, { detail: image }));
  }
}
