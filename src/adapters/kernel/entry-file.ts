/**
 * The file that a thread or process begins with, given its source: sources run as they are; compiled, it has the extension
 * that this one has then. Changes and returns the URL.
 */
export function entryFile(source: URL): URL {
  if (import.meta.url.endsWith(".js")) source.pathname = source.pathname.replace(/\.ts$/, ".js");
  return source;
}
