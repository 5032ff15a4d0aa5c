// Images are sent in order, two at a time. A busy server is tried again when it says so; without a
// server or its token the queue halts until it is started again.

import { RequestError } from "./api.js";

const AT_ONCE = 2;
const ATTEMPTS = 20;
const HALTING = new Set(["gone", "token"]);

export class Queue {
  #waiting = [];
  #running = 0;
  #halted = false;

  /** process(image): the work; onHalt(error): why it halted; onIdle(): all is done. */
  constructor(session, process, { onHalt, onIdle }) {
    Object.assign(this, { session, process, onHalt, onIdle });
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
      await retryWhileBusy(() => this.process(image), (after) => this.session.change(image, { state: "busy", after }));
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
      if (!(error instanceof RequestError)) console.error(error);
      const known = error instanceof RequestError ? error : new RequestError("server", "The prediction could not be shown.");
      this.session.change(image, { state: "failed", error: known });
      return;
    }
    this.#waiting.unshift(image);
    this.session.change(image, { state: "waiting" });
    this.#halted = true;
    this.onHalt(error);
  }
}

/** Tries again a little later than the busy server says, so that not all come back at once. */
export async function retryWhileBusy(work, onBusy = () => {}) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (error.kind !== "busy" || attempt >= ATTEMPTS) throw error;
      onBusy(error.after);
      await new Promise((resolve) => setTimeout(resolve, 1000 * (error.after + 0.5 * Math.random())));
    }
  }
}
