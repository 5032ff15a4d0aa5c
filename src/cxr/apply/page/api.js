// Requests to the service. Every failure is a `RequestError` in plain words.

export class RequestError extends Error {
  /** kind: "file", "token", "busy", "gone" or "server"; after: seconds until it may be tried again. */
  constructor(kind, message, after = 0) {
    super(message);
    this.kind = kind;
    this.after = after;
  }
}

const TOKEN_NEEDED = "This server needs its token.";
let token = "";

export function useToken(text) {
  token = text;
}

export const modelInfo = () => request("model").then((response) => response.json());
export const predict = (file) => send("predict", file).then((response) => response.json());
export const explain = (file) => send("explain", file).then((response) => response.json());

/** {values, width, height, maximum, centre, span, kind} */
export async function loadPixels(file) {
  const response = await send("image", file);
  const header = (name) => response.headers.get(`X-Image-${name}`) ?? "";
  const [centre, span] = header("Window").split(",").map(Number);
  const [width, height] = [Number(header("Width")), Number(header("Height"))];
  const values = new Uint16Array(await response.arrayBuffer()); // browsers run on little-endian machines
  if (values.length !== width * height) throw new RequestError("server", "The image arrived incomplete.");
  return { values, width, height, maximum: Number(header("Max")), centre, span, kind: header("Kind") };
}

/** The file as the body: its name stays here. */
async function send(path, file) {
  await checkReadable(file);
  const headers = { "Content-Type": "application/octet-stream" };
  try {
    return await request(path, { method: "POST", body: file, headers });
  } catch (error) {
    if (error.kind === "gone" && (await alive())) {
      const cause = `The connection broke while this file (${size(file)}) was sent.`;
      throw new RequestError("file", `${cause} It may be too large for this server.`);
    }
    throw error;
  }
}

async function checkReadable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch {
    throw new RequestError("file", "The browser cannot read this. Is it a folder, or was it moved?");
  }
  if (file.size === 0) throw new RequestError("file", "This file is empty. Copy or export it again.");
}

async function request(path, options = {}) {
  const headers = { ...options.headers };
  if (token) headers.Authorization = `Bearer ${token}`;
  let response;
  try {
    response = await fetch(path, { ...options, headers, cache: "no-store" });
  } catch {
    throw new RequestError("gone", "The server does not answer. Is it still running?");
  }
  if (!response.ok) throw await errorOf(response);
  return response;
}

const alive = () => fetch("v2/health/live", { cache: "no-store" }).then((r) => r.ok, () => false);

async function errorOf(response) {
  const detail = sentence(await response.json().then((body) => body.detail, () => ""));
  switch (response.status) {
    case 401:
      return new RequestError("token", token ? "This token is not the right one." : TOKEN_NEEDED);
    case 408:
      return new RequestError("server", "Sending this file took too long.");
    case 413:
      return new RequestError("file", `This file is too large. ${detail}`);
    case 415:
    case 422:
      return new RequestError("file", `This file cannot be read as an image. ${detail}`);
    case 429:
    case 503:
      return new RequestError("busy", "The server is busy.", retryAfter(response));
    default:
      return new RequestError("server", `The server failed (${response.status}). ${detail}`);
  }
}

const retryAfter = (response) => Number(response.headers.get("Retry-After")) || 1;

export function sentence(text) {
  if (typeof text !== "string" || !text) return "";
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?…]$/.test(text) ? "" : "."}`;
}

const size = (file) => `${(file.size / 1e6).toFixed(1)} MB`;
