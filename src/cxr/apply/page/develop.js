// Values of an image to grey levels: the window, and windows that suit a part of the chest.

import { blank } from "./dom.js";

/** A window is {centre, width, invert}: black at centre - width / 2, white at centre + width / 2. */
export function firstWindow(pixels) {
  return { centre: pixels.centre, width: Math.max(1, pixels.span), invert: false };
}

/** Shares of the pixels that become black and white; lungs are the dark half, bones the bright. */
const PARTS = { lungs: [0.02, 0.7], dense: [0.4, 0.998] };

export function preset(pixels, name) {
  if (name === "full") return { centre: pixels.maximum / 2, width: pixels.maximum };
  if (!(name in PARTS)) return { centre: pixels.centre, width: Math.max(1, pixels.span) };
  const [low, high] = PARTS[name].map((share) => quantile(pixels, share));
  return { centre: (low + high) / 2, width: Math.max(1, high - low) };
}

function quantile(pixels, share) {
  const counts = (pixels.counts ??= histogram(pixels));
  const wanted = share * (pixels.values.length - counts[0]); // black is mostly no image
  let below = 0;
  for (let value = 1; value < counts.length; value += 1) {
    below += counts[value];
    if (below >= wanted) return value;
  }
  return pixels.maximum;
}

function histogram({ values, maximum }) {
  const counts = new Uint32Array(maximum + 1);
  for (const value of values) counts[value] += 1;
  return counts;
}

/** The image through its window, onto `canvas` or a new one, a pixel for a pixel. */
export function develop(pixels, window, canvas = blank(pixels.width, pixels.height)) {
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

/** A small image of the image, its longer side `side`. */
export function thumbnail(pixels, side) {
  const scale = side / Math.max(pixels.width, pixels.height);
  const small = blank(Math.max(1, Math.round(pixels.width * scale)), Math.max(1, Math.round(pixels.height * scale)));
  const context = small.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(develop(pixels, firstWindow(pixels)), 0, 0, small.width, small.height);
  return small;
}
