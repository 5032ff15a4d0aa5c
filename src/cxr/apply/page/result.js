// The panel beside the image: warnings first, then the decision and how far to rely on it.

import { $, newCanvas, makeSvg, icon, make } from "./dom.js";
import { bitmap } from "./heat.js";
import { calibrated, confidenceNote, decisionOf, figure, frequencyNote, judged, ofHundred, stateOf, thresholdNote, warnings } from "./words.js";

const SIGNS = { grave: "warn", warn: "warn", info: "info", error: "error" };

export class Result {
  /** onRetry(image): the button of an image that failed. */
  constructor(model, onRetry) {
    Object.assign(this, { model, onRetry });
    $("rules-list").replaceChildren(...(model.rules ?? []).map((rule) => make("li", {}, rule)));
  }

  show(image) {
    $("about").hidden = image !== null;
    $("answer").hidden = image === null;
    $("brief").hidden = image === null;
    if (!image) return;
    const prediction = image.state === "done" ? image.prediction : null;
    $("file-name").textContent = image.name;
    this.#brief(image);
    $("warnings").replaceChildren(...this.#boxes(image, prediction));
    $("decision").replaceChildren(...(prediction ? this.#prediction(prediction) : []));
    for (const name of ["downloads", "rules"]) $(name).hidden = !prediction;
    $("explanation").hidden = !prediction || this.model.explain === false;
    this.#similar(image.explanation?.similar ?? []);
  }

  /** A line above the image, where the panel lies below it. */
  #brief(image) {
    const { icon: sign, text, turning } = stateOf(image);
    const status = image.state === "done" ? image.prediction.status : "";
    const grave = status === "out of distribution";
    const first = grave || status === "not judged" ? warnings(image.prediction)[0].title : text;
    $("brief").className = grave ? "brief grave" : "brief";
    $("brief").replaceChildren(icon(turning ? "wait" : sign), make("span", {}, first));
  }

  #boxes(image, prediction) {
    if (prediction) return warnings(prediction).map((one) => box(one.kind, one.title, one.text));
    if (image.state !== "failed") return [make("p", { class: "pending" }, pendingNote(image))];
    const again = image.error.kind !== "file" && make("button", { type: "button" }, "Try again");
    if (again) again.addEventListener("click", () => this.onRetry(image));
    return [box("error", "No prediction for this file", image.error.message, again)];
  }

  #prediction(prediction) {
    const { model } = this;
    const frequency = frequencyNote(model, prediction);
    return [
      make("div", { class: prediction.out_of_distribution ? "verdict disregard" : "verdict" },
        make("p", { class: "says" }, "Decision of the model"),
        make("p", { class: "decided" }, decisionOf(prediction)),
        make("p", { class: "says" }, thresholdNote(model))),
      make("p", { class: "trust" }, confidenceNote(prediction)),
      frequency && calibrated(model) && hundred(prediction.probability),
      frequency && make("p", { class: "frequency" }, frequency),
      frequency && calibrated(model) && prevalenceNote(model),
      judged(prediction) && this.#classes(prediction),
      make("p", { class: "small" }, "Research use only. A number from a model is not a diagnosis."),
    ].filter(Boolean);
  }

  #classes(prediction) {
    const { model } = this;
    const rows = Object.entries(prediction.calibrated);
    if (rows.length > 2) rows.sort(([, a], [, b]) => b - a);
    const table = make("table", { class: "classes" },
      make("caption", {}, calibrated(model) ? "Probability, calibrated in validation" : "Score, not calibrated"),
      make("tbody", {}, ...rows.map((row) => this.#row(...row))));
    if (Object.keys(model.thresholds).length > 0) {
      table.append(make("tfoot", {}, make("tr", {}, make("td", { colspan: 3 }, "The mark on a bar is its operating threshold."))));
    }
    return table;
  }

  #row(name, share) {
    const bar = make("span", { class: "bar-of", "aria-hidden": "true" }, make("i"));
    bar.firstChild.style.width = `${100 * share}%`;
    if (name in this.model.thresholds) {
      const mark = make("b");
      mark.style.left = `${100 * this.model.thresholds[name]}%`;
      bar.append(mark);
    }
    const shown = make("td", { class: "figures" }, figure(this.model, share));
    return make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, bar), shown);
  }

  async #similar(images) {
    $("similar").hidden = images.length === 0;
    $("similar-list").replaceChildren(...(await Promise.all(images.map(similarImage))));
  }
}

function box(kind, title, text, ...more) {
  return make("div", { class: `box ${kind}` }, icon(SIGNS[kind]), make("div", {},
    make("h3", {}, title), text && make("p", {}, text), ...more));
}

function pendingNote(image) {
  if (image.state === "waiting") return "Waiting for its turn.";
  if (image.state === "busy") return "The server is busy; this page will try again.";
  return "Being predicted…";
}

/** A hundred dots, so many of them filled: the sentence below says the same. */
function hundred(share) {
  const filled = Math.round(100 * share);
  const dots = Array.from({ length: 100 }, (_, i) => {
    const [cx, cy] = [5 + 10 * (i % 20), 5 + 10 * Math.floor(i / 20)];
    return makeSvg("circle", { cx, cy, r: 3.6, class: i < filled ? "is" : "not" });
  });
  return makeSvg("svg", { viewBox: "0 0 200 50", class: "hundred", "aria-hidden": "true" }, ...dots);
}

/** Where few images show the finding, fewer of those with a given score do. */
function prevalenceNote(model) {
  const rarer = `Where ${model.positive ?? "it"} is rarer than in validation, expect fewer.`;
  const share = typeof model.prevalence === "number" && model.positive
    && `Prevalence in validation: ${ofHundred(model.prevalence)} in 100. `;
  return make("p", { class: "small" }, `${share || ""}${rarer}`);
}

async function similarImage({ label, distance, image }) {
  const decoded = await bitmap(image);
  const canvas = newCanvas(decoded.width, decoded.height);
  canvas.getContext("2d").drawImage(decoded, 0, 0);
  const far = make("span", { class: "small" }, `distance ${distance.toFixed(2)}`);
  return make("li", {}, canvas, make("span", {}, label), far);
}

const fact = ([name, text]) => [make("dt", {}, name), make("dd", {}, text)];

export function aboutModel(model) {
  const facts = [
    ["Model", model.name],
    ["Classes", model.classes.join(", ")],
    model.positive && ["Positive class", model.positive],
    ["Trained on", model.population],
    ["SHA-256", model.digest?.slice(0, 12)],
    ["Runtime", [model.runtime, model.cxr && `cxr ${model.cxr}`].filter(Boolean).join(", ")],
  ];
  return [
    make("dl", {}, ...facts.filter((one) => one?.[1]).flatMap(fact)),
    make("h3", {}, "Decision and abstention rules"),
    make("ul", {}, ...(model.rules ?? []).map((rule) => make("li", {}, rule))),
  ];
}
