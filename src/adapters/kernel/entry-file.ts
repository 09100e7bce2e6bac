/**
 * The file that a thread or process begins with, given its source: sources run as they are, and compiled files have the
 * extension that this file then has. Changes the URL and returns it.
 */
export function entryFile(source: URL): URL {
  if (import.meta.url.endsWith(".js")) source.pathname = source.pathname.replace(/\.ts$/, ".js");
  return source;
}
