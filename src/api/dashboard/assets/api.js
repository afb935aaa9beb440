// Talking to the daemon: requests, refusals, and who is signed in.

import { setClock } from "./format.js";

const LONGEST_WAIT = 15_000;

/** A request that was not granted, in the words of the daemon. */
export class Refusal extends Error {
  /**
   * @param {number} status the HTTP status; 0 where no answer came
   * @param {object} problem the body, by RFC 9457
   */
  constructor(status, problem) {
    super(problem.detail ?? problem.title ?? `HTTP ${status}`);
    this.status = status;
    this.breaches = problem.breaches ?? [];
    this.etag = problem.etag;
  }
}

/** @type {{name: string, role: string, profiles: string[]|null, expires: string|null}|null} */
export let me = null;

/**
 * Makes a request.
 * @param {string} method
 * @param {string} path
 * @param {object} [body] sent as JSON
 * @param {{etag?: string, signal?: AbortSignal}} [options] `etag` goes as If-Match
 * @returns {Promise<any>} the answer's JSON; null where it has none
 * @throws {Refusal}
 */
export async function call(method, path, body, { etag, signal } = {}) {
  const headers = { accept: "application/json" };
  if (body !== undefined) headers["content-type"] = "application/json";
  if (etag) headers["if-match"] = etag;
  const signals = [AbortSignal.timeout(LONGEST_WAIT), ...(signal ? [signal] : [])];
  let response;
  let text;
  try {
    response = await fetch(path, {
      method, headers, credentials: "same-origin", cache: "no-store",
      body: body === undefined ? undefined : JSON.stringify(body), signal: AbortSignal.any(signals),
    });
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refusal(0, { detail: "The daemon does not answer." });
  }
  setClock(response.headers.get("date"));
  const content = read(text);
  if (response.ok) return content;
  if (response.status === 401 && me) {
    me = null;
    document.dispatchEvent(new Event("signed-out"));
  }
  throw new Refusal(response.status, content ?? {});
}

function read(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return { detail: text.slice(0, 300) };
  }
}

/**
 * Looks something up.
 * @param {string} path
 * @param {Object<string, string|number|null|undefined>} [query] what is empty is left out
 * @param {AbortSignal} [signal]
 */
export function get(path, query = {}, signal) {
  const given = Object.entries(query).filter(([, it]) => it !== null && it !== undefined && it !== "");
  const search = new URLSearchParams(given).toString();
  return call("GET", search ? `${path}?${search}` : path, undefined, { signal });
}

/**
 * The path of a profile, or of something below it.
 * @param {string} profile
 * @param {...string} rest
 */
export const profilePath = (profile, ...rest) => ["/v1/profiles", profile, ...rest].map(encode).join("/");

/**
 * The path of what is done to a site.
 * @param {string} site
 * @param {string} action `drain` or `undrain`
 */
export const sitePath = (site, action) => `/v1/sites/${encodeURIComponent(site)}/${action}`;

const encode = (part, at) => (at === 0 ? part : encodeURIComponent(part));

/** Finds out who is signed in; throws a `Refusal` of 401 where nobody is. */
export async function whoAmI() {
  me = await get("/v1/session");
  return me;
}

/** Signs in by a token. */
export async function signIn(token) {
  me = await call("POST", "/v1/session", { token });
  return me;
}

/** Signs out. */
export async function signOut() {
  me = null;
  await call("DELETE", "/v1/session");
}

/**
 * Why who is signed in may not change anything.
 * @returns {string|null} null where they may
 */
export function whyNot() {
  if (me && me.role !== "viewer") return null;
  return "You are signed in as a viewer. Changes take an operator.";
}

let offered;

/**
 * What this daemon offers beyond the least: `pending` changes, profiles that can be switched (`profiles`), undrains
 * that take their time (`ramp`).
 * @returns {Promise<{pending: boolean, profiles: boolean, ramp: boolean}>}
 */
export function offers() {
  offered ??= get("/openapi.json").then(({ paths, components }) => ({
    pending: Boolean(paths["/v1/changes"]?.get),
    profiles: Boolean(paths["/v1/profiles/{profile}"]?.patch),
    ramp: JSON.stringify(components.schemas).includes('"ramp":{"type":["string"'),
  })).catch((error) => {
    offered = undefined;
    throw error;
  });
  return offered;
}
