// One page of A4 with the image as it is shown and its prediction; PNG and PDF are both made
// from it. The browser's own fonts draw the text, so names in any script come out right.

import { newCanvas } from "./dom.js";
import { confidenceNote, decisionOf, figure, frequencyNote, heatNote, judged, thresholdNote, warnings } from "./words.js";

const WIDTH = 1240; // A4 at 150 dots an inch
const HEIGHT = 1754;
const EDGE = 84;
const FONT = "system-ui, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif";
const INK = { text: "#16202b", soft: "#4a5866", notice: "#fff1cf", warn: "#8a2f06" };

const NOTICE = "Research use only. Not a medical device: it must not be used to decide on a patient’s care.";

/** {canvas, lines}: lines are [{text, x, y, size}] in the canvas's pixels, for searching.
 *  view: a canvas with the image as it is shown; explanation: the answer of /explain, if shown. */
export function sheetOf(image, model, view, explanation) {
  const sheet = new Sheet();
  sheet.notice(NOTICE);
  for (const { title, text } of warnings(image.prediction)) {
    sheet.text(title, 26, { bold: true, colour: INK.warn });
    sheet.text(text, 22, { colour: INK.warn });
  }
  sheet.image(view);
  sheet.text(image.name, 22, { colour: INK.soft });
  const decision = `Decision of the model: ${decisionOf(image.prediction)}`;
  if (image.prediction.out_of_distribution) sheet.text(decision, 24, { colour: INK.soft });
  else sheet.text(decision, 40, { bold: true });
  sheet.text(confidenceNote(image.prediction), 24);
  for (const line of details(image.prediction, model, explanation)) sheet.text(line, 21, { colour: INK.soft });
  return { canvas: sheet.canvas, lines: sheet.lines };
}

function details(prediction, model, explanation) {
  const shares = Object.entries(prediction.calibrated).map(([name, share]) => `${name} ${figure(model, share)}`);
  return [
    frequencyNote(model, prediction),
    shares.length <= 12 && judged(prediction) && `All classes: ${shares.join(", ")}.`,
    thresholdNote(model),
    explanation && heatNote(explanation),
    `Trained on: ${model.population}`,
    `Model ${model.name}, SHA-256 ${(model.digest ?? "").slice(0, 16)}. ${new Date().toLocaleString()}.`,
  ].filter(Boolean);
}

class Sheet {
  lines = [];
  #y = EDGE;

  constructor() {
    this.canvas = newCanvas(WIDTH, HEIGHT);
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

  image(view) {
    const [widest, tallest] = [WIDTH - 2 * EDGE, 800];
    const scale = Math.min(widest / view.width, tallest / view.height);
    const [width, height] = [view.width * scale, view.height * scale];
    this.context.fillStyle = "#000";
    this.context.fillRect(EDGE, this.#y, widest, height);
    this.context.imageSmoothingQuality = "high";
    this.context.drawImage(view, (WIDTH - width) / 2, this.#y, width, height);
    this.#y += height + 20;
  }

  /** Wrapped; what no longer fits on the page is left out, so the gravest comes first. */
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
    const widest = WIDTH - 2 * EDGE;
    const fits = (line) => this.context.measureText(line).width <= widest;
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
