/** Finds tests by their names in the text of a test file, without running it. */

/**
 * What opens a block, and what a test. A title may also follow the table of an `each`, stand first in a row of it, or be the
 * `rule` of a scenario.
 */
const BLOCK = /(?:describe(?:\.\w+)?|withLab|withComposeLab|whereLabsRun|\))(?:<[^(]*>)?\(\s*$/;
const TEST = /(?:\b(?:test|it)(?:\.\w+)?(?:<[^(]*>)?\(|\)\(|\brule: |\[)\s*$/;

/**
 * @param source text of a test file
 * @param name titles of the blocks around a test and of the test, joined by ` › `; blocks may be left out
 */
export function hasTest(source: string, name: string): boolean {
  const titles = name.split(" › ");
  let from = 0;
  for (const [index, title] of titles.entries()) {
    const opening = index === titles.length - 1 ? TEST : BLOCK;
    const found = placesOf(source, title).find((place) => place >= from && opening.test(before(source, place)));
    if (found === undefined) return false;
    from = found;
  }
  return true;
}

/** Where a string literal with this content begins, in any of the quotes. */
function placesOf(source: string, title: string): number[] {
  const places: number[] = [];
  for (const quote of ['"', "'", "`"]) {
    const literal = quote + title + quote;
    for (let at = source.indexOf(literal); at >= 0; at = source.indexOf(literal, at + 1)) places.push(at);
  }
  return places.sort((a, b) => a - b);
}

/** Enough of what stands before a place to see what the literal there is for. */
function before(source: string, place: number): string {
  return source.slice(Math.max(0, place - 200), place);
}
