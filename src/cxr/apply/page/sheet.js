// One page of A4 with the image as it is shown and all that was said of it; PNG and PDF are both made
// from it. The browser's own fonts draw the text, so names in any script come out right.

import { blank } from "./dom.js";
import { asked, decided, frequency, heatWords, percent, trust, warnings } from "./words.js";

const WIDTH = 1240; // A4 at 150 dots an inch
const HEIGHT = 1754;
const EDGE = 84;
const FONT = "system-ui, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif";
const INK = { text: "#16202b", soft: "#4a5866", notice: "#fff1cf", warn: "#8a2f06" };

const NOTICE = "Research use only. Not a medical device: it must not be used to decide on a patient’s care.";

/** {canvas, lines}: lines are [{text, x, y, size}] in the canvas's pixels, for searching.
 *  why: what /explain said, if the image shows it. */
export function sheetOf(image, model, image, why) {
  const sheet = new Sheet();
  sheet.notice(NOTICE);
  sheet.image(image);
  sheet.text(image.name, 22, { colour: INK.soft });
  for (const { title, text } of warnings(image.record)) {
    sheet.text(title, 30, { bold: true, colour: INK.warn });
    sheet.text(text, 22, { colour: INK.warn });
  }
  const says = `The model says: ${decided(image.record)}`;
  if (image.record.out_of_distribution) sheet.text(says, 24, { colour: INK.soft });
  else sheet.text(says, 40, { bold: true });
  sheet.text(trust(image.record), 24);
  for (const line of details(image.record, model, why)) sheet.text(line, 21, { colour: INK.soft });
  return { canvas: sheet.canvas, lines: sheet.lines };
}

function details(record, model, why) {
  const shares = Object.entries(record.calibrated).map(([name, share]) => `${name} ${percent(share)}`);
  return [
    frequency(model, record),
    shares.length <= 12 && !record.out_of_distribution && `All classes: ${shares.join(", ")}.`,
    model.positive && `Decides ${asked(model, record)} from ${percent(model.threshold)} on.`,
    why && heatWords(why),
    `Trained on: ${model.population}`,
    `Model ${model.name}, fingerprint ${(model.digest ?? "").slice(0, 16)}. ${new Date().toLocaleString()}.`,
  ].filter(Boolean);
}

class Sheet {
  lines = [];
  #y = EDGE;

  constructor() {
    this.canvas = blank(WIDTH, HEIGHT);
    this.context = this.canvas.getContext("2d");
    this.context.fillStyle = "#fff";
    this.context.fillRect(0, 0, WIDTH, HEIGHT);
    this.context.textBaseline = "top";
  }

  notice(text) {
    this.context.fillStyle = INK.notice;
    this.context.fillRect(0, 0, WIDTH, 2 * EDGE);
    this.#y = EDGE - 40;
    this.text(text, 26, { bold: true });
    this.#y = 2 * EDGE + 28;
  }

  image(image) {
    const [most, tallest] = [WIDTH - 2 * EDGE, 860];
    const scale = Math.min(most / image.width, tallest / image.height);
    const [width, height] = [image.width * scale, image.height * scale];
    this.context.fillStyle = "#000";
    this.context.fillRect(EDGE, this.#y, most, height);
    this.context.imageSmoothingQuality = "high";
    this.context.drawImage(image, (WIDTH - width) / 2, this.#y, width, height);
    this.#y += height + 20;
  }

  /** Wrapped; what no longer fits on the page is left out, the gravest stands first. */
  text(text, size, { bold = false, colour = INK.text } = {}) {
    this.context.font = `${bold ? "600 " : ""}${size}px ${FONT}`;
    this.context.fillStyle = colour;
    for (const line of this.#wrapped(text)) {
      if (this.#y + size > HEIGHT - EDGE / 2) return;
      this.context.fillText(line, EDGE, this.#y);
      this.lines.push({ text: line, x: EDGE, y: this.#y, size });
      this.#y += 1.32 * size;
    }
    this.#y += 0.4 * size;
  }

  *#wrapped(text) {
    const room = WIDTH - 2 * EDGE;
    const fits = (line) => this.context.measureText(line).width <= room;
    let line = "";
    for (let word of text.split(/\s+/)) {
      if (line && !fits(`${line} ${word}`)) {
        yield line;
        line = "";
      }
      while (!fits(word)) { // a file name may be one very long word
        let end = word.length - 1;
        while (end > 1 && !fits(word.slice(0, end))) end -= 1;
        yield word.slice(0, end);
        word = word.slice(end);
      }
      line = line ? `${line} ${word}` : word;
    }
    if (line) yield line;
  }
}
