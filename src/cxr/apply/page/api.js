// What this page asks of the service. Every failure is a `Refused` in plain words.

export class Refused extends Error {
  /** kind: "file", "token", "busy", "gone" or "server"; after: seconds until it may be tried again. */
  constructor(kind, words, after = 0) {
    super(words);
    this.kind = kind;
    this.after = after;
  }
}

const ASKS = "This server asks for its token.";
let token = "";

export function useToken(given) {
  token = given;
}

export const modelFacts = () => ask("model").then((response) => response.json());
export const predict = (file) => send("predict", file).then((response) => response.json());
export const explain = (file) => send("explain", file).then((response) => response.json());

/** {values, width, height, maximum, centre, span, kind} */
export async function imageOf(file) {
  const response = await send("image", file);
  const said = (name) => response.headers.get(`X-Image-${name}`) ?? "";
  const [centre, span] = said("Window").split(",").map(Number);
  const [width, height] = [Number(said("Width")), Number(said("Height"))];
  const values = new Uint16Array(await response.arrayBuffer()); // browsers run on little-endian machines
  if (values.length !== width * height) throw new Refused("server", "The image came incomplete.");
  return { values, width, height, maximum: Number(said("Max")), centre, span, kind: said("Kind") };
}

/** The file as the body: its name stays here. */
async function send(path, file) {
  await readable(file);
  const headers = { "Content-Type": "application/octet-stream" };
  try {
    return await ask(path, { method: "POST", body: file, headers });
  } catch (error) {
    if (error.kind === "gone" && (await alive())) {
      const what = `The connection broke while this file (${size(file)}) was sent.`;
      throw new Refused("file", `${what} It may be too large for this server.`);
    }
    throw error;
  }
}

async function readable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch {
    throw new Refused("file", "The browser cannot read this. Is it a folder, or was it moved?");
  }
  if (file.size === 0) throw new Refused("file", "This file is empty. Copy or export it again.");
}

async function ask(path, options = {}) {
  const headers = { ...options.headers };
  if (token) headers.Authorization = `Bearer ${token}`;
  let response;
  try {
    response = await fetch(path, { ...options, headers, cache: "no-store" });
  } catch {
    throw new Refused("gone", "The server does not answer. Is it still running?");
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

const alive = () => fetch("v2/health/live", { cache: "no-store" }).then((r) => r.ok, () => false);

async function refusal(response) {
  const detail = sentence(await response.json().then((body) => body.detail, () => ""));
  switch (response.status) {
    case 401:
      return new Refused("token", token ? "This token is not the right one." : ASKS);
    case 408:
      return new Refused("server", "Sending this file took too long.");
    case 413:
      return new Refused("file", `This file is too large. ${detail}`);
    case 415:
    case 422:
      return new Refused("file", `This file cannot be read as an image. ${detail}`);
    case 429:
    case 503:
      return new Refused("busy", "The server has too much to do.", retryAfter(response));
    default:
      return new Refused("server", `The server failed (${response.status}). ${detail}`);
  }
}

const retryAfter = (response) => Number(response.headers.get("Retry-After")) || 1;

export function sentence(text) {
  if (typeof text !== "string" || !text) return "";
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?…]$/.test(text) ? "" : "."}`;
}

const size = (file) => `${(file.size / 1e6).toFixed(1)} MB`;
