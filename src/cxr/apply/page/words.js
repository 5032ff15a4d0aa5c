// What a prediction means, in plain words. An uncalibrated score is never called a probability.

import { sentence } from "./api.js";

/** Whether probabilities may be read as shares of images. */
export function calibrated(model) {
  return model.calibration !== "none";
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

const NO_LUNGS = ", so the whole image was taken"; // as the server's reasons have it

/** Why a model that looks for lungs saw the whole image, and what else the reason says. */
function withoutLungs({ frame, reason }) {
  const [why, ...rest] = frame ? reason.split(NO_LUNGS) : [];
  if (rest.length === 0) return null;
  return { title: sentence(why).slice(0, -1), text: sentence(`the whole image was taken${rest.join(NO_LUNGS)}`) };
}

export function decisionOf(prediction) {
  return prediction.decision || "None of its findings";
}

/** What the probability means; null for an image that is unlike the training images or without lungs. */
export function frequencyNote(model, prediction) {
  if (prediction.out_of_distribution || withoutLungs(prediction)) return null;
  const name = classOfInterest(model, prediction);
  if (!calibrated(model)) {
    return `Score for ${name}: ${prediction.probability.toFixed(2)}. It is not calibrated, so it is no probability.`;
  }
  return `Calibrated: of 100 images like those of validation with this score, ${ofHundred(prediction.probability)} would show ${name}.`;
}

/** {kind, title, text}, the gravest first. */
export function warnings(prediction) {
  const boxes = [];
  if (prediction.out_of_distribution) {
    boxes.push({
      kind: "grave",
      title: "Unlike the images this model was trained on",
      text: sentence(prediction.reason),
    });
  } else if (prediction.confident === false) {
    boxes.push({ kind: "warn", title: "The model is not confident", text: sentence(prediction.reason) });
  } else if (prediction.reason) {
    boxes.push({ kind: "info", title: "Not everything was judged", text: sentence(prediction.reason) });
  }
  return boxes.map((box) => ({ ...box, ...withoutLungs(prediction) }));
}

export function confidenceNote(prediction) {
  if (prediction.out_of_distribution) return "Disregard this prediction: the model was not trained on such images.";
  if (prediction.confident) return "The model is confident, by its abstention rules.";
  if (prediction.confident === false) return "The model abstains: read this image without it.";
  return "Not judged: the model file has no rules for when to abstain.";
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
  if (prediction.out_of_distribution) return { icon: "warn", text: "unlike the training images" };
  const gap = withoutLungs(prediction);
  if (gap) return { icon: "warn", text: "no upright lungs" };
  if (prediction.confident === false) return { icon: "warn", text: `not confident: ${decisionOf(prediction)}` };
  return { icon: prediction.confident ? "ok" : "info", text: decisionOf(prediction) };
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
