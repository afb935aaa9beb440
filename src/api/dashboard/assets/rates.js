// Answers per second, from the counts that an endpoint has had since the daemon started.

import { now } from "./format.js";

const WINDOW = 12_000;
const SHORTEST = 900;
const looks = new Map();

/**
 * Takes note of how often each endpoint of a profile has been answered with.
 * @param {object} profile as the API tells it
 */
export function look(profile) {
  const at = now();
  for (const { name, answers } of profile.endpoints) {
    const key = `${profile.name} ${name}`;
    const before = looks.get(key) ?? [];
    const last = before.at(-1);
    // Fewer than before: the daemon was started anew.
    const kept = last && answers < last.answers ? [] : before;
    if (last && kept.length && at - last.at < SHORTEST) continue;
    kept.push({ at, answers });
    // One that is older than the window is kept, so that there are two after a pause too.
    while (kept.length > 2 && kept[1].at < at - WINDOW) kept.shift();
    looks.set(key, kept);
  }
}

/**
 * @param {object} profile as the API tells it
 * @returns {(number|null)[]} answers per second that named each endpoint; null where there was only one look
 */
export function rates(profile) {
  return profile.endpoints.map(({ name }) => {
    const seen = looks.get(`${profile.name} ${name}`) ?? [];
    if (seen.length < 2) return null;
    const [first, last] = [seen[0], seen.at(-1)];
    return (last.answers - first.answers) / ((last.at - first.at) / 1000);
  });
}

/**
 * @param {(number|null)[]} values answers per second
 * @returns {number|null} all together
 */
export const total = (values) =>
  values.every((it) => it === null) ? null : values.reduce((sum, it) => sum + (it ?? 0), 0);
