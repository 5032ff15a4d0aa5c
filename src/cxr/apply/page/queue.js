// Images are sent in order, two at a time. A busy server is asked again when it says so; without a
// server or its token the queue halts until it is started again.

import { Refused } from "./api.js";

const AT_ONCE = 2;
const TRIES = 20;
const HALTING = new Set(["gone", "token"]);

export class Queue {
  #waiting = [];
  #running = 0;
  #halted = false;

  /** read(image): the work; onHalt(error): why it halted; onIdle(): all that was asked is done. */
  constructor(session, read, { onHalt, onIdle }) {
    Object.assign(this, { session, read, onHalt, onIdle });
  }

  add(images) {
    for (const image of images) this.session.change(image, { state: "waiting", error: null });
    this.#waiting.push(...images);
    this.#next();
  }

  start() {
    this.#halted = false;
    this.#next();
  }

  clear() {
    this.#waiting = [];
  }

  #next() {
    while (!this.#halted && this.#running < AT_ONCE && this.#waiting.length) {
      this.#run(this.#waiting.shift());
    }
  }

  async #run(image) {
    this.#running += 1;
    this.session.change(image, { state: "sending" });
    try {
      await patiently(() => this.read(image), (after) => this.session.change(image, { state: "busy", after }));
      this.session.change(image, { state: "done" });
    } catch (error) {
      this.#fail(image, error);
    }
    this.#running -= 1;
    if (!this.#running && !this.#waiting.length) this.onIdle();
    this.#next();
  }

  #fail(image, error) {
    if (!HALTING.has(error.kind)) {
      if (!(error instanceof Refused)) console.error(error);
      const shown = error instanceof Refused ? error : new Refused("server", "The answer could not be shown.");
      this.session.change(image, { state: "failed", error: shown });
      return;
    }
    this.#waiting.unshift(image);
    this.session.change(image, { state: "waiting" });
    this.#halted = true;
    this.onHalt(error);
  }
}

/** Asks again, a little later than the busy server says, so that not all come back at once. */
export async function patiently(work, onBusy = () => {}) {
  for (let tried = 1; ; tried += 1) {
    try {
      return await work();
    } catch (error) {
      if (error.kind !== "busy" || tried >= TRIES) throw error;
      onBusy(error.after);
      await new Promise((resolve) => setTimeout(resolve, 1000 * (error.after + 0.5 * Math.random())));
    }
  }
}
