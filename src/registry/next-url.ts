/** Reads the URLs that a registry sends: redirects, links, realms. */

/** The URL, resolved against where it was found and without a user in it; undefined where the text is none. */
export function findNextUrl(text: string, base: URL): URL | undefined {
  if (!URL.canParse(text, base.href)) return undefined;
  const url = new URL(text, base);
  url.username = '';
  url.password = '';
  return url;
}
