// What needs an operator's attention, worst first. Endpoints that are in the same trouble at the same site are one matter.

import { several } from "./format.js";

const MOST_NAMED = 5;
// More profiles than this that fail open for the same reason are one matter.
const MOST_ALIKE = 4;

/**
 * @typedef {object} Matter
 * @property {string} key tells it apart from others
 * @property {"severe"|"bad"|"note"} weight
 * @property {string} title
 * @property {string} [text] why
 * @property {string} [since] RFC 3339
 * @property {{profile: string, endpoint?: string}[]} [where] what it is about
 * @property {string} [drain] the site that could be drained
 * @property {number} [none] how many profiles have no healthy endpoint by it
 */

/**
 * What is wrong.
 * @param {object} status of `/v1/status`
 * @param {object[]} sites of `/v1/sites`
 * @param {object[]} profiles those that are known to be in trouble, in full
 * @returns {Matter[]} the worst first
 */
export function troubles(status, sites, profiles) {
  const known = new Map(profiles.flatMap((profile) =>
    profile.endpoints.map((it) => [`${profile.name} ${it.name}`, it])));
  return [
    ...failingOpen(status, profiles),
    ...degraded(status, sites, known),
    ...alone("stale", "no probe has said anything for three intervals", status.stale),
    ...alone("certificate", "its certificate expires soon", status.certificates),
    ...ofDaemon(status),
  ];
}

function failingOpen(status, profiles) {
  const failed = Map.groupBy(status.degraded, (it) => it.profile);
  const known = new Map(profiles.map((it) => [it.name, it]));
  const single = status.failing_open.map((name) => openProfile(name, known.get(name), failed.get(name) ?? []));
  return [...Map.groupBy(single, (it) => `${it.none} ${it.why}`).values()].flatMap((alike) => {
    if (alike.length <= MOST_ALIKE) return alike;
    const [{ key, none, why }] = alike;
    return {
      key: `many ${key}`, weight: "severe", none: none && alike.length, text: why && `Probes say: ${why}`,
      title: `${several(alike.length, "profile")} have ${none ? "no healthy endpoint" : "too few healthy endpoints"}`,
      since: earliest(alike.map((it) => it.since).filter(Boolean)), where: alike.flatMap((it) => it.where),
    };
  });
}

function openProfile(name, profile, failed) {
  const why = [...new Set(failed.map((it) => it.reason).filter(Boolean))].join("; ");
  const healthy = profile?.endpoints.some((it) => it.status === "Online" && it.enabled);
  return {
    key: `open ${name}`, weight: "severe", where: [{ profile: name }], why,
    none: healthy ? 0 : 1, title: healthy ? `${name} has too few healthy endpoints` : `${name} has no healthy endpoint`,
    text: [profile && `${answered(profile)}. ${statuses(profile)}`, why && `Probes say: ${why}`].filter(Boolean).join(". "),
    since: latest(profile?.endpoints.filter((it) => it.status === "Degraded").map((it) => it.since) ?? []),
  };
}

const statuses = ({ endpoints }) => {
  const others = endpoints.slice(0, MOST_NAMED).map((it) => `${it.name} ${it.status}`).join(", ");
  return endpoints.length > MOST_NAMED ? `${others}, …` : others;
};

function answered(profile) {
  switch (profile.when_none_healthy) {
    case "serve_all": return "All its endpoints are answered all the same";
    case "last_healthy": return "The endpoint that was healthy last is answered"
    case "fallback": return `The fallback is answered: ${profile.fallback.join(", ")}`;
    case "nodata": return "It is answered without an address";
    case "servfail": return "It is answered with SERVFAIL";
    default: return `It is answered by ${profile.when_none_healthy}`;
  }
}

function degraded(status, sites, known) {
  const groups = new Map();
  for (const it of status.degraded) {
    const full = known.get(`${it.profile} ${it.endpoint}`);
    const place = full?.site ?? it.endpoint;
    const key = `${place} ${it.reason}`;
    const group = groups.get(key) ?? { place, site: full?.site, reason: it.reason, where: [], times: [] };
    group.where.push({ profile: it.profile, endpoint: it.endpoint });
    if (full) group.times.push(full.since);
    groups.set(key, group);
  }
  const open = new Set(status.failing_open);
  const matters = [...groups.entries()].map(([key, { place, site, reason, where, times }]) => {
    const whole = sites.find((it) => it.name === site && !it.drained);
    const dead = whole && whole.healthy === 0 && whole.endpoints > 1;
    // One endpoint in trouble is no reason to drain a site where others are well.
    const drain = whole && where.length * 2 >= whole.endpoints ? site : undefined;
    const isSaid = !dead && where.every((it) => open.has(it.profile));
    if (isSaid) return null;
    const [first] = where;
    const title = dead && where.length === whole.endpoints
      ? `${site}: none of its ${several(whole.endpoints, "endpoint")} is healthy`
      : where.length === 1
        ? `${first.profile} ${first.endpoint} is Degraded`
        : `${place}: ${several(where.length, "endpoint")} Degraded`;
    return {
      key: `degraded ${key}`, weight: dead ? "severe" : "bad", title, text: reason, drain, since: earliest(times),
      where: where.length > 1 ? where.map((it) => (it.endpoint === place ? { profile: it.profile } : it)) : where,
    };
  }).filter(Boolean);
  const rank = { severe: 0, bad: 1 };
  return matters.sort((a, b) => rank[a.weight] - rank[b.weight] || b.where.length - a.where.length);
}

function alone(kind, otherwise, endpoints) {
  return endpoints.map((it) => ({
    key: `${kind} ${it.profile} ${it.endpoint}`, weight: "bad", where: [it],
    title: `${it.profile} ${it.endpoint} ${kind === "stale" ? "is not heard of" : "shows a certificate that expires soon"}`,
    text: it.reason ?? otherwise,
  }));
}

function ofDaemon(status) {
  const matters = [];
  const add = (key, title, text, since) => matters.push({ key, weight: "bad", title, text, since });
  const { refused_reload: refused, state, geo_database: geo } = status;
  if (refused) {
    add("reload", "The configuration on the disk was refused: what runs is another one", refused.why, refused.at);
  }
  for (const file of state.files.filter((it) => it.error)) {
    add(`file ${file.file}`, `The state directory can't be written: ${file.file}`, file.error, file.written);
  }
  if (state.set_aside.length > 0) {
    add("aside", "Damaged files of the state directory were put aside", state.set_aside.join(", "));
  }
  if (geo?.error) add("geo", "The geo database could not be read; the one before is in force", geo.error);
  if (status.unmatched_overrides.length > 0) {
    add("unmatched", "Overrides of what is not configured any more", status.unmatched_overrides.join("; "));
  }
  if (!status.ready) add("ready", "Some endpoints have no verdict yet", "The daemon was started a moment ago");
  return matters;
}

/**
 * The state of everything in one sentence.
 * @param {object} status of `/v1/status`
 * @param {Matter[]} matters what is wrong
 * @returns {{weight: "good"|"bad"|"severe", text: string}}
 */
export function verdict(status, matters) {
  const open = status.failing_open.length;
  const failed = status.degraded.length;
  if (open > 0) {
    const none = matters.reduce((sum, it) => sum + (it.none ?? 0), 0) === open;
    const has = open === 1 ? "has" : "have";
    return { weight: "severe", text: `${several(open, "profile")} ${has} ${none ? "no healthy endpoint" : "too few healthy endpoints"}` };
  }
  if (matters.some((it) => it.weight === "severe")) return { weight: "severe", text: "A site has no healthy endpoint" };
  if (failed > 0) {
    return { weight: "bad", text: `${several(failed, "endpoint")} Degraded; answers name the healthy ones` };
  }
  if (matters.length > 0) return { weight: "bad", text: `${several(matters.length, "thing")} to look after` };
  return { weight: "good", text: "All is well" };
}

const earliest = (times) => [...times].sort()[0];
const latest = (times) => [...times].sort().at(-1);
