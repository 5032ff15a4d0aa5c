// The image on its canvas: zoom, pan, and over it the heat map and the frame of what the model saw.
// Others set the window when a "drag" event says so.

import { newCanvas } from "./dom.js";
import { render } from "./render.js";

const MAX_SCALE = 16; // screen pixels for an image pixel
const STEP = 1.25;
const FRAMED_SIDE = 1200; // pixels of a snapshot with a frame
const FRAME = { line: "#35d0f0", edge: "#000" }; // seen on black and on white

export class Viewer extends EventTarget {
  #pixels = null;
  #rendered = newCanvas(1, 1); // the image through its window, a pixel for a pixel
  #heat = null;
  #box = null; // what the model saw
  #pendingFrame = 0;
  #place = { scale: 1, x: 0, y: 0 }; // x, y: of the image's corner, in CSS pixels
  #fitted = true;
  #pointers = new Map();
  opacity = 0.6;
  tool = "window";

  constructor(canvas) {
    super();
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    new ResizeObserver(() => this.#resized()).observe(canvas);
    this.#listen();
  }

  show(pixels, window) {
    this.#pixels = pixels;
    this.#heat = this.#box = null;
    if (!pixels) return;
    this.#rendered = render(pixels, window);
    this.fit();
  }

  /** Only the image's greys change. */
  window(window) {
    if (!this.#pixels) return;
    render(this.#pixels, window, this.#rendered);
    this.#draw();
  }

  /** heat: a canvas of any size that lies over the whole image; box: what the model saw of it,
   *  as shares [x0, y0, x1, y1] of its width and height. null takes either away. */
  overlay(heat, box = null) {
    this.#heat = heat;
    this.#box = box;
    this.#draw();
  }

  setOpacity(opacity) {
    this.opacity = opacity;
    this.#draw();
  }

  /** The image with its window, heat map and frame, as a canvas of the image's own size; where there
   *  is a frame larger, so that its line is thin on small images, too. */
  snapshot() {
    const longer = Math.max(this.#rendered.width, this.#rendered.height);
    const scale = this.#box ? Math.max(1, FRAMED_SIDE / longer) : 1;
    const [width, height] = [this.#rendered.width, this.#rendered.height].map((side) => Math.round(scale * side));
    const copy = newCanvas(width, height);
    this.#paint(copy.getContext("2d"), width, height, (scale * longer) / 400);
    return copy;
  }

  fit() {
    const { width, height } = this.#frame();
    const scale = Math.min(width / this.#rendered.width, height / this.#rendered.height);
    this.#fitted = true;
    this.#moveTo({
      scale,
      x: (width - scale * this.#rendered.width) / 2,
      y: (height - scale * this.#rendered.height) / 2,
    });
  }

  /** By steps, about a point of the canvas, or its middle. */
  zoom(steps, at = null) {
    const { width, height } = this.#frame();
    this.#zoomBy(STEP ** steps, at ?? { x: width / 2, y: height / 2 });
  }

  pan(dx, dy) {
    const { scale, x, y } = this.#place;
    this.#fitted = false;
    this.#moveTo({ scale, x: x + dx, y: y + dy });
  }

  #zoomBy(factor, at) {
    const { scale, x, y } = this.#place;
    const least = Math.min(1, ...this.#fits()) / 2;
    const target = Math.min(MAX_SCALE, Math.max(least, scale * factor));
    const by = target / scale;
    this.#fitted = false;
    this.#moveTo({ scale: target, x: at.x - (at.x - x) * by, y: at.y - (at.y - y) * by });
  }

  #fits() {
    const { width, height } = this.#frame();
    return [width / this.#rendered.width, height / this.#rendered.height];
  }

  #frame() {
    return { width: this.canvas.clientWidth || 1, height: this.canvas.clientHeight || 1 };
  }

  /** Some of the image always stays in sight. */
  #moveTo({ scale, x, y }) {
    const { width, height } = this.#frame();
    const [w, h] = [scale * this.#rendered.width, scale * this.#rendered.height];
    const margin = 48;
    this.#place = {
      scale,
      x: Math.min(width - margin, Math.max(margin - w, x)),
      y: Math.min(height - margin, Math.max(margin - h, y)),
    };
    this.dispatchEvent(new CustomEvent("zoom", { detail: scale }));
    this.#draw();
  }

  #resized() {
    const ratio = devicePixelRatio || 1;
    const { width, height } = this.#frame();
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    if (this.#fitted) this.fit();
    else this.#draw();
  }

  #draw() {
    cancelAnimationFrame(this.#pendingFrame);
    this.#pendingFrame = requestAnimationFrame(() => this.#drawNow());
  }

  #drawNow() {
    const { context, canvas } = this;
    const ratio = canvas.width / this.#frame().width;
    const { scale, x, y } = this.#place;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (!this.#pixels) return;
    context.setTransform(ratio, 0, 0, ratio, ratio * x, ratio * y);
    this.#paint(context, scale * this.#rendered.width, scale * this.#rendered.height, 2);
  }

  #paint(context, width, height, line) {
    context.imageSmoothingQuality = "high";
    context.drawImage(this.#rendered, 0, 0, width, height);
    if (this.#heat) {
      context.globalAlpha = this.opacity;
      context.drawImage(this.#heat, 0, 0, width, height);
      context.globalAlpha = 1;
    }
    if (!this.#box) return;
    const [x0, y0, x1, y1] = this.#box;
    for (const [colour, wide] of [[FRAME.edge, 2 * line], [FRAME.line, line]]) {
      context.strokeStyle = colour;
      context.lineWidth = wide;
      context.strokeRect(x0 * width, y0 * height, (x1 - x0) * width, (y1 - y0) * height);
    }
  }

  #listen() {
    const { canvas } = this;
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("dblclick", () => this.fit());
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.#pointers.set(event.pointerId, at(event));
    });
    canvas.addEventListener("pointermove", (event) => this.#moved(event));
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      canvas.addEventListener(end, (event) => this.#pointers.delete(event.pointerId));
    }
  }

  #wheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 40 : 1;
    this.#zoomBy(Math.exp(-0.0015 * lines * event.deltaY), at(event));
  }

  #moved(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    const now = at(event);
    if (this.#pointers.size > 1) this.#pinch(event.pointerId, before, now);
    else if (this.tool === "pan" || event.shiftKey || event.buttons & 6) this.pan(now.x - before.x, now.y - before.y);
    else this.dispatchEvent(new CustomEvent("drag", { detail: { x: now.x - before.x, y: now.y - before.y } }));
    this.#pointers.set(event.pointerId, now);
  }

  #pinch(pointer, before, now) {
    const [, other] = [...this.#pointers].find(([id]) => id !== pointer);
    const apart = (point) => Math.hypot(point.x - other.x, point.y - other.y) || 1;
    const middle = (point) => ({ x: (point.x + other.x) / 2, y: (point.y + other.y) / 2 });
    this.#zoomBy(apart(now) / apart(before), middle(before));
    this.pan(middle(now).x - middle(before).x, middle(now).y - middle(before).y);
  }
}

const at = (event) => ({ x: event.offsetX, y: event.offsetY });
