/** The size of a page. The daemon makes a page in one go while registrations wait, so it is a few milliseconds' worth. */
const PAGE_LENGTH = 250;

/** Yields page by page, as there may be a million items, and at most `limit` of them. */
export async function* pages<Page extends { readonly next: string | null }, Item>(
  limit: number,
  ask: (query: URLSearchParams) => Promise<Page>,
  itemsOf: (page: Page) => readonly Item[],
): AsyncGenerator<readonly Item[]> {
  let missing = limit;
  let after: string | null = null;
  do {
    const query = new URLSearchParams({ limit: String(Math.min(missing, PAGE_LENGTH)) });
    if (after !== null) query.set("after", after);
    const page: Page = await ask(query);
    yield itemsOf(page);
    missing -= itemsOf(page).length;
    after = page.next;
  } while (after !== null && missing > 0);
}
