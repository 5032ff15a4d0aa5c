// The panel beside the film: warnings first, then what the model says and how far to trust it.

import { $, blank, drawn, icon, make } from "./dom.js";
import { bitmap } from "./heat.js";
import { calibrated, decided, frequency, ofHundred, percent, state, trust, warnings } from "./words.js";

const SIGNS = { grave: "warn", warn: "warn", info: "info", error: "error" };

export class Result {
  /** onRetry(film): the button of a film that failed. */
  constructor(model, onRetry) {
    Object.assign(this, { model, onRetry });
    $("rules-list").replaceChildren(...(model.rules ?? []).map((rule) => make("li", {}, rule)));
  }

  show(film) {
    $("about").hidden = film !== null;
    $("answer").hidden = film === null;
    $("brief").hidden = film === null;
    if (!film) return;
    const record = film.state === "done" ? film.record : null;
    $("file-name").textContent = film.name;
    this.#brief(film);
    $("warnings").replaceChildren(...this.#boxes(film, record));
    $("decision").replaceChildren(...(record ? this.#answer(record) : []));
    for (const name of ["downloads", "rules"]) $(name).hidden = !record;
    $("why").hidden = !record || this.model.explain === false;
    this.#similar(film.why?.similar ?? []);
  }

  /** A line above the film, where the panel lies below it. */
  #brief(film) {
    const { icon: sign, text, turning } = state(film);
    const grave = film.state === "done" && film.record.unlike_training;
    $("brief").className = grave ? "brief grave" : "brief";
    $("brief").replaceChildren(icon(turning ? "wait" : sign), grave ? warnings(film.record)[0].title : text);
  }

  #boxes(film, record) {
    if (record) return warnings(record).map((one) => box(one.kind, one.title, one.text));
    if (film.state !== "failed") return [make("p", { class: "pending" }, pendingWords(film))];
    const again = film.error.kind !== "file" && make("button", { type: "button" }, "Try again");
    if (again) again.addEventListener("click", () => this.onRetry(film));
    return [box("error", "No answer for this file", film.error.message, again)];
  }

  #answer(record) {
    const { model } = this;
    const often = frequency(model, record);
    return [
      make("div", { class: record.unlike_training ? "verdict disregard" : "verdict" },
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
    const table = make("table", { class: record.unlike_training ? "classes disregard" : "classes" },
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
  if (record.unlike_training) return "Numbers that do not hold for this film";
  return calibrated(model, record) ? "Probability, calibrated in validation" : "Score, not calibrated";
}

function pendingWords(film) {
  if (film.state === "waiting") return "Waiting for its turn.";
  if (film.state === "busy") return "The server is busy; it will be asked again by itself.";
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

/** Where few films show the finding, fewer of those with a given score do. */
function prevalenceWords(model) {
  const rarer = `Where ${model.positive ?? "it"} is rarer than in validation, expect fewer.`;
  const share = typeof model.prevalence === "number" && model.positive
    && `Of all films there, ${ofHundred(model.prevalence)} in 100 did. `;
  return make("p", { class: "small" }, `${share || ""}${rarer}`);
}

async function similarCase({ label, distance, picture }) {
  const image = await bitmap(picture);
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
