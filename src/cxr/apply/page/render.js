// From pixel values to grey levels: the window, and presets for parts of the chest.

import { newCanvas } from "./dom.js";

/** A window is {centre, width, invert}: black at centre - width / 2, white at centre + width / 2. */
export function defaultWindow(pixels) {
  return { centre: pixels.centre, width: Math.max(1, pixels.span), invert: false };
}

/** Shares of the pixels that become black and white; lungs are the dark half, bones the bright. */
const PRESETS = { lungs: [0.02, 0.7], dense: [0.4, 0.998] };

export function preset(pixels, name) {
  if (name === "full") return { centre: pixels.maximum / 2, width: pixels.maximum };
  if (!(name in PRESETS)) return { centre: pixels.centre, width: Math.max(1, pixels.span) };
  const [low, high] = PRESETS[name].map((share) => quantile(pixels, share));
  return { centre: (low + high) / 2, width: Math.max(1, high - low) };
}

function quantile(pixels, share) {
  const counts = (pixels.counts ??= histogram(pixels));
  const target = share * (pixels.values.length - counts[0]); // black is mostly outside the image
  let cumulated = 0;
  for (let value = 1; value < counts.length; value += 1) {
    cumulated += counts[value];
    if (cumulated >= target) return value;
  }
  return pixels.maximum;
}

function histogram({ values, maximum }) {
  const counts = new Uint32Array(maximum + 1);
  for (const value of values) counts[value] += 1;
  return counts;
}

/** The image through its window, onto `canvas` or a new one, a pixel for a pixel. */
export function render(pixels, window, canvas = newCanvas(pixels.width, pixels.height)) {
  const greys = levels(pixels.maximum, window);
  const context = canvas.getContext("2d");
  const image = context.createImageData(pixels.width, pixels.height);
  const out = new Uint32Array(image.data.buffer);
  const { values } = pixels;
  for (let i = 0; i < values.length; i += 1) out[i] = greys[values[i]];
  context.putImageData(image, 0, 0);
  return canvas;
}

function levels(maximum, { centre, width, invert }) {
  const greys = new Uint32Array(maximum + 1);
  const low = centre - width / 2;
  for (let value = 0; value <= maximum; value += 1) {
    const shown = Math.min(1, Math.max(0, (value - low) / width));
    const grey = Math.round(255 * (invert ? 1 - shown : shown));
    greys[value] = (255 << 24) | (grey << 16) | (grey << 8) | grey; // as bytes: grey thrice, opaque
  }
  return greys;
}

/** A canvas with its longer side `side` pixels. */
export function thumbnail(pixels, side) {
  const scale = side / Math.max(pixels.width, pixels.height);
  const small = newCanvas(Math.max(1, Math.round(pixels.width * scale)), Math.max(1, Math.round(pixels.height * scale)));
  const context = small.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(render(pixels, defaultWindow(pixels)), 0, 0, small.width, small.height);
  return small;
}
