// Where one is, as the address tells it: a page and what it is filtered by.

/**
 * @returns {{path: string, parts: string[], query: URLSearchParams}} of "#/profiles/app.?x=1": the path, its parts and what follows
 */
export function here() {
  const [path, search] = (location.hash.slice(1) || "/").split("?");
  return { path, parts: path.split("/").slice(1).map(decodeURIComponent), query: new URLSearchParams(search) };
}

/**
 * Keeps what a page is filtered by in the address, so that going back leads to it.
 * @param {Object<string, string>} values those that are empty are left out
 */
export function keepQuery(values) {
  const search = new URLSearchParams(Object.entries(values).filter(([, it]) => it)).toString();
  history.replaceState(null, "", `#${here().path}${search && `?${search}`}`);
}
