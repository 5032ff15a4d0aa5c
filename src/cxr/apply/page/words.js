// What a record means, in plain words. No number is given that the model does not vouch for.

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

/** The class that the probability speaks of: the one looked for, else the likeliest. */
export function asked(model, record) {
  if (model.positive) return model.positive;
  const names = Object.keys(record.calibrated);
  return names.reduce((best, name) => (record.calibrated[name] > record.calibrated[best] ? name : best));
}

export function decided(record) {
  return record.decision || "None of its findings";
}

/** What may be said of one number; null where the image is unlike the training images. */
export function frequency(model, record) {
  if (record.out_of_distribution) return null;
  const name = asked(model, record);
  if (!calibrated(model)) {
    return `Score for ${name}: ${record.probability.toFixed(2)}. It is not calibrated, so it is no frequency.`;
  }
  return `By its calibration: of 100 images as in validation with this score, ${ofHundred(record.probability)} would show ${name}.`;
}

/** {kind, title, text}, the gravest first. */
export function warnings(record) {
  const found = [];
  if (record.out_of_distribution) {
    found.push({
      kind: "grave",
      title: "Unlike the images this model was trained on",
      text: sentence(record.reason),
    });
  } else if (record.confident === false) {
    found.push({ kind: "warn", title: "The model is not sure", text: sentence(record.reason) });
  } else if (record.reason) {
    found.push({ kind: "info", title: "Not everything was judged", text: sentence(record.reason) });
  }
  return found;
}

export function trust(record) {
  if (record.out_of_distribution) return "Disregard this answer: the model knows no such images.";
  if (record.confident) return `A clear case for this model: by its rules only ${record.decision || "this"} fits.`;
  if (record.confident === false) return "The model abstains: read this image without it.";
  return "Whether to trust this answer was not judged.";
}

/** A word or two for the list of images. */
export function state(image) {
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
      return answered(image.record);
  }
}

function answered(record) {
  if (record.out_of_distribution) return { icon: "warn", text: "unlike training" };
  if (record.confident === false) return { icon: "warn", text: `not sure: ${decided(record)}` };
  return { icon: record.confident ? "ok" : "info", text: decided(record) };
}

export function heatWords(why) {
  const limits = "It is not a lesion finder: it shows where the model looked, not where disease is.";
  if (!why) return `Which parts of the image raised the score. ${limits}`;
  return `Coloured parts raised the score of ${why.explained} (${why.method}). ${limits}`;
}

/** One line for a screen reader. */
export function spoken(image) {
  if (image.state === "failed") return `${image.name}: ${image.error.message}`;
  const first = warnings(image.record).map((one) => `${one.title}.`);
  return [`${image.name}:`, ...first, `The model decides ${decided(image.record)}.`, trust(image.record)].join(" ");
}
