// The panel beside the image: warnings first, then what the model says and how far to trust it.

import { $, blank, drawn, icon, make } from "./dom.js";
import { bitmap } from "./heat.js";
import { calibrated, decided, frequency, ofHundred, percent, state, trust, warnings } from "./words.js";

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
    const record = image.state === "done" ? image.record : null;
    $("file-name").textContent = image.name;
    this.#brief(image);
    $("warnings").replaceChildren(...this.#boxes(image, record));
    $("decision").replaceChildren(...(record ? this.#answer(record) : []));
    for (const name of ["downloads", "rules"]) $(name).hidden = !record;
    $("why").hidden = !record || this.model.explain === false;
    this.#similar(image.why?.similar ?? []);
  }

  /** A line above the image, where the panel lies below it. */
  #brief(image) {
    const { icon: sign, text, turning } = state(image);
    const grave = image.state === "done" && image.record.out_of_distribution;
    $("brief").className = grave ? "brief grave" : "brief";
    $("brief").replaceChildren(icon(turning ? "wait" : sign), grave ? warnings(image.record)[0].title : text);
  }

  #boxes(image, record) {
    if (record) return warnings(record).map((one) => box(one.kind, one.title, one.text));
    if (image.state !== "failed") return [make("p", { class: "pending" }, pendingWords(image))];
    const again = image.error.kind !== "file" && make("button", { type: "button" }, "Try again");
    if (again) again.addEventListener("click", () => this.onRetry(image));
    return [box("error", "No answer for this file", image.error.message, again)];
  }

  #answer(record) {
    const { model } = this;
    const often = frequency(model, record);
    return [
      make("div", { class: record.out_of_distribution ? "verdict disregard" : "verdict" },
        make("p", { class: "says" }, "The model says"),
        make("p", { class: "decided" }, decided(record))),
      make("p", { class: "trust" }, trust(record)),
      often && calibrated(model, record) && hundred(record.probability),
      often && make("p", { class: "often" }, often),
      often && prevalenceWords(model),
      this.#classes(record),
      make("p", { class: "small" }, "Research use only. A number from a model is not a diagnosis."),
    ].filter(Boolean);
  }

  #classes(record) {
    const { model } = this;
    const told = caption(model, record);
    const rows = Object.entries(record.calibrated);
    if (rows.length > 2) rows.sort(([, a], [, b]) => b - a);
    const table = make("table", { class: record.out_of_distribution ? "classes disregard" : "classes" },
      make("caption", {}, told), make("tbody", {}, ...rows.map((row) => this.#row(...row))));
    if (model.positive && rows.length === 2) {
      table.append(make("tfoot", {}, make("tr", {}, make("td", { colspan: 3 },
        `Decides ${model.positive} from ${percent(model.threshold)} on (the mark on its bar).`))));
    }
    return table;
  }

  #row(name, share) {
    const bar = make("span", { class: "bar-of", "aria-hidden": "true" }, make("i"));
    bar.firstChild.style.width = `${100 * share}%`;
    if (name === this.model.positive && this.model.classes.length === 2) {
      const mark = make("b");
      mark.style.left = `${100 * this.model.threshold}%`;
      bar.append(mark);
    }
    const figure = make("td", { class: "figures" }, percent(share));
    return make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, bar), figure);
  }

  async #similar(cases) {
    $("similar").hidden = cases.length === 0;
    $("similar-list").replaceChildren(...(await Promise.all(cases.map(similarCase))));
  }
}

function box(kind, title, text, ...more) {
  return make("div", { class: `box ${kind}` }, icon(SIGNS[kind]), make("div", {},
    make("h3", {}, title), text && make("p", {}, text), ...more));
}

function caption(model, record) {
  if (record.out_of_distribution) return "Numbers that do not hold for this image";
  return calibrated(model, record) ? "Probability, calibrated in validation" : "Score, not calibrated";
}

function pendingWords(image) {
  if (image.state === "waiting") return "Waiting for its turn.";
  if (image.state === "busy") return "The server is busy; it will be asked again by itself.";
  return "Being read…";
}

/** A hundred dots, so many of them filled: the sentence below says the same. */
function hundred(share) {
  const filled = Math.round(100 * share);
  const dots = Array.from({ length: 100 }, (_, i) => {
    const [cx, cy] = [5 + 10 * (i % 20), 5 + 10 * Math.floor(i / 20)];
    return drawn("circle", { cx, cy, r: 3.6, class: i < filled ? "is" : "not" });
  });
  return drawn("svg", { viewBox: "0 0 200 50", class: "hundred", "aria-hidden": "true" }, ...dots);
}

/** Where few images show the finding, fewer of those with a given score do. */
function prevalenceWords(model) {
  const rarer = `Where ${model.positive ?? "it"} is rarer than in validation, expect fewer.`;
  const share = typeof model.prevalence === "number" && model.positive
    && `Of all images there, ${ofHundred(model.prevalence)} in 100 did. `;
  return make("p", { class: "small" }, `${share || ""}${rarer}`);
}

async function similarCase({ label, distance, image }) {
  const image = await bitmap(image);
  const canvas = blank(image.width, image.height);
  canvas.getContext("2d").drawImage(image, 0, 0);
  const far = make("span", { class: "small" }, `distance ${distance.toFixed(2)}`);
  return make("li", {}, canvas, make("span", {}, label), far);
}

const fact = ([name, text]) => [make("dt", {}, name), make("dd", {}, text)];

export function aboutWords(model) {
  const facts = [
    ["Model", model.name],
    ["Tells apart", model.classes.join(", ")],
    model.positive && ["Looks for", model.positive],
    ["Trained on", model.population],
    ["Fingerprint", model.digest?.slice(0, 12)],
    ["Runs on", [model.runtime, model.cxr && `cxr ${model.cxr}`].filter(Boolean).join(", ")],
  ];
  return [
    make("dl", {}, ...facts.filter((one) => one?.[1]).flatMap(fact)),
    make("h3", {}, "How it judges itself"),
    make("ul", {}, ...(model.rules ?? []).map((rule) => make("li", {}, rule))),
  ];
}
