// What a prediction means, in plain words. An uncalibrated score is never called a probability.

import { sentence } from "./api.js";

/** Whether a calibration was fitted, so that probabilities may be read as shares of images. */
export function calibrated(model) {
  return ["temperature", "vector"].includes(model.calibration);
}

/** Whether figures may be shown: everything was judged, and nothing is unlike the training images. */
export function judged(prediction) {
  return ["abstains", "confident"].includes(prediction.status);
}

/** A calibrated share as a percentage, a score as the number that it is. */
export function figure(model, share) {
  return calibrated(model) ? percent(share) : share.toFixed(2);
}

/** The operating threshold beside the decision; of several labels each in the table. */
export function thresholdNote(model) {
  const limits = Object.entries(model.thresholds);
  if (limits.length === 0) return "The most probable class.";
  if (limits.length > 1) return "By the operating threshold of each label.";
  const [[name, share]] = limits;
  return `By the operating threshold for ${name}: ${Number(share.toPrecision(4))}.`;
}

export function percent(share) {
  if (share < 0.01) return "< 1 %";
  return share > 0.99 ? "> 99 %" : `${Math.round(100 * share)} %`;
}

/** Of 100, never none and never all. */
export function ofHundred(share) {
  const n = Math.round(100 * share);
  if (n < 1) return "fewer than 1";
  return n > 99 ? "more than 99" : `about ${n}`;
}

/** The class that `probability` is about: the positive one, else the likeliest. */
export function classOfInterest(model, prediction) {
  if (model.positive) return model.positive;
  const names = Object.keys(prediction.calibrated);
  return names.reduce((best, name) => (prediction.calibrated[name] > prediction.calibrated[best] ? name : best));
}

/** The part of the image that the model saw, as shares [x0, y0, x1, y1]; null: all of it. */
export function frameOf({ frame }) {
  return frame && frame.join() !== "0,0,1,1" ? frame : null;
}

export function decisionOf(prediction) {
  return prediction.decision || "None of its findings";
}

/** What the probability means; null where none is shown. */
export function frequencyNote(model, prediction) {
  if (!judged(prediction)) return null;
  const name = classOfInterest(model, prediction);
  if (!calibrated(model)) {
    return `Score for ${name}: ${prediction.probability.toFixed(2)}. No calibration was fitted, so it is no probability.`;
  }
  return `Calibrated: of 100 images like those of validation with this score, ${ofHundred(prediction.probability)} would show ${name}.`;
}

/** {kind, title, text}, the gravest first. */
export function warnings(prediction) {
  const { status, not_judged: gaps, reason } = prediction;
  const boxes = [];
  if (status === "out of distribution") {
    boxes.push({ kind: "grave", title: "Unlike the images this model was trained on", text: sentence(reason) });
  }
  if (gaps.length > 0) {
    boxes.push({ kind: "warn", title: `Not judged: ${gaps[0]}`, text: gaps.slice(1).map(sentence).join(" ") });
  }
  if (status === "abstains") {
    boxes.push({ kind: "warn", title: "The model is not confident", text: sentence(reason) });
  } else if (status !== "out of distribution" && reason) {
    boxes.push({ kind: "info", title: "Not everything was judged", text: sentence(reason) });
  }
  return boxes;
}

export function confidenceNote(prediction) {
  switch (prediction.status) {
    case "out of distribution":
      return "Disregard this prediction: the model was not trained on such images.";
    case "not judged":
      return "Nothing shows how far to rely on this decision, so no probability is given.";
    case "confident":
      return "The model is confident, by its abstention rules.";
    default:
      return "The model abstains: read this image without it.";
  }
}

/** A word or two for the list of images. */
export function stateOf(image) {
  switch (image.state) {
    case "waiting":
      return { icon: "wait", text: "waiting" };
    case "sending":
      return { icon: "wait", text: "being read", turning: true };
    case "busy":
      return { icon: "wait", text: `server busy, again in ${Math.ceil(image.after)} s`, turning: true };
    case "failed":
      return { icon: "error", text: image.error.kind === "file" ? "not readable" : "failed" };
    default:
      return predictedState(image.prediction);
  }
}

function predictedState(prediction) {
  const decision = decisionOf(prediction);
  switch (prediction.status) {
    case "out of distribution":
      return { icon: "warn", text: "unlike the training images" };
    case "not judged":
      return { icon: "warn", text: `not judged: ${decision}` };
    case "confident":
      return { icon: "ok", text: decision };
    default:
      return { icon: "warn", text: `not confident: ${decision}` };
  }
}

export function heatNote(explanation) {
  const limits = "It is not a lesion finder: it shows where the model looked, not where disease is.";
  if (!explanation) return `Which parts of the image raised the score. ${limits}`;
  const framed = frameOf(explanation) ? " The frame holds what the model saw of the image." : "";
  const away = explanation.outside_lungs;
  const outside = typeof away === "number" ? ` About ${Math.round(100 * away)} % of the colour lies outside the lungs.` : "";
  return `Coloured parts raised the score of ${explanation.explained} (${explanation.method}).${framed}${outside} ${limits}`;
}

/** One line for a screen reader. */
export function spoken(image) {
  if (image.state === "failed") return `${image.name}: ${image.error.message}`;
  const first = warnings(image.prediction).map((one) => `${one.title}.`);
  return [`${image.name}:`, ...first, `Decision: ${decisionOf(image.prediction)}.`, confidenceNote(image.prediction)].join(" ");
}
