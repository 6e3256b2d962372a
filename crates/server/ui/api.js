// @ts-check
/**
 * Talking with the node. Everything goes over `fetch`, the live tail too, so that a token can be sent along.
 */

const TOKEN = "sawlog-token";

/** What the node says is wrong. */
export class Refusal extends Error {
  /** @param {number} status @param {{error?: string, remedy?: string, start?: number, end?: number}} body */
  constructor(status, body) {
    super(body.error ?? `The node answered ${status}.`);
    this.status = status;
    this.remedy = body.remedy ?? "";
    this.start = body.start;
    this.end = body.end;
  }
}

export class Lost extends Error {}

/** @param {string} token */
export function useToken(token) {
  sessionStorage.setItem(TOKEN, token);
}

/** Sent along. @type {Record<string, string>} */
export const also = {};

/**
 * @param {string} path @param {Record<string, string | number | undefined>} params @param {AbortSignal} [signal]
 * @param {string} [body] JSON that is posted.
 * @returns {Promise<Response>}
 */
async function ask(path, params, signal, body) {
  const given = Object.entries(params).filter(([, value]) => value !== undefined && value !== "");
  const query = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  const token = sessionStorage.getItem(TOKEN);
  const headers = { ...also, ...(token && { Authorization: `Bearer ${token}` }), ...(body && { "Content-Type": "application/json" }) };
  let response;
  try {
    response = await fetch(query ? `${path}?${query}` : path, { method: body ? "POST" : "GET", body, headers, signal, cache: "no-store" });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Lost("The node does not answer.");
  }
  if (response.ok) return response;
  throw new Refusal(response.status, await response.json().catch(() => ({})));
}

/**
 * @param {string} path @param {Record<string, string | number | undefined>} [params] @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export async function json(path, params = {}, signal) {
  return (await ask(`/api/v1/${path}`, params, signal)).json();
}

/** Changes something. @param {string} path @param {object} body @returns {Promise<any>} */
export const post = async (path, body) => (await ask(`/api/v1/${path}`, {}, undefined, JSON.stringify(body))).json();

/**
 * An answer of one JSON object a line, whole.
 * @param {string} path @param {Record<string, string | number | undefined>} params
 * @returns {Promise<any[]>}
 */
export async function lines(path, params) {
  const text = await (await ask(`/api/v1/${path}`, params)).text();
  return text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

/** Resolves when the node answers. */
export const alive = () => ask("/healthz", {});

/**
 * Pieces of a body, cut after whole `end`s.
 * @param {Response} response @param {string} end @param {AbortSignal} [signal]
 */
async function* pieces(response, end, signal) {
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  const decoder = new TextDecoder();
  let held = "";
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error) => {
        if (signal?.aborted) throw error;
        throw new Lost("The answer broke off.");
      });
      if (done) break;
      const text = held + decoder.decode(value, { stream: true });
      const cut = text.lastIndexOf(end);
      held = cut < 0 ? text : text.slice(cut + end.length);
      if (cut >= 0) yield text.slice(0, cut).split(end);
    }
    if (held) yield [held];
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** @typedef {{records: number, seconds: number, error?: string, remedy?: string}} Report */

/**
 * Searches; `take` gets the lines of JSON as they come.
 * @param {Record<string, string | number | undefined>} params
 * @param {(lines: string[], records: boolean) => void} take
 * @param {AbortSignal} signal
 * @returns {Promise<{records: boolean, report: Report}>}
 */
export async function search(params, take, signal) {
  const response = await ask("/api/v1/search", { ...params, report: 1 }, signal);
  const records = response.headers.get("x-sawlog-records") !== "false";
  /** @type {Report} */
  let report = { records: 0, seconds: 0 };
  for await (const lines of pieces(response, "\n", signal)) {
    if (lines[lines.length - 1].startsWith('{"_report":')) report = JSON.parse(/** @type {string} */ (lines.pop()))._report;
    if (lines.length) take(lines, records);
  }
  if (report.error) throw new Refusal(500, report);
  return { records, report };
}

/**
 * Follows new records until the signal says stop or the connection ends.
 * @param {string} query @param {(event: string, data: string) => void} take @param {AbortSignal} signal
 */
export async function tail(query, take, signal) {
  const response = await ask("/api/v1/tail", { query }, signal);
  for await (const events of pieces(response, "\n\n", signal)) {
    for (const event of events) {
      let name = "message";
      const data = [];
      for (const line of event.split("\n")) {
        if (line.startsWith("event:")) name = line.slice(6).trim();
        else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
      }
      if (data.length) take(name, data.join("\n"));
    }
  }
}
