import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PAGE_ENTRIES, PagedList } from "../../../src/core/replication/paged-list.ts";

function told(length: number) {
  const pages: { readonly page: readonly number[]; readonly last: boolean }[] = [];
  const list = new PagedList<number>();
  list.start(
    Array.from({ length }, (_, index) => index),
    (page, last) => pages.push({ page, last }),
  );
  return { list, pages };
}

describe("a long list", () => {
  it("is told in pages of which four at most are under way, however long it is", () => {
    const { list, pages } = told(100 * PAGE_ENTRIES);
    expect(pages.length).toBe(4);
    list.answered();
    expect(pages.length).toBe(5);
    list.answered();
    list.answered();
    expect(pages.length).toBe(7);
  });

  it("is told whole and in order, and complete with the answer to its last page", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 12 * PAGE_ENTRIES }), (length) => {
        const { list, pages } = told(length);
        for (let answers = 0; answers < pages.length; answers++) {
          expect(list.isComplete).toBe(false);
          list.answered();
        }
        expect(list.isComplete).toBe(true);
        expect(pages.flatMap(({ page }) => page)).toEqual(Array.from({ length }, (_, index) => index));
        expect(pages.map(({ last }) => last)).toEqual(pages.map((_, index) => index === pages.length - 1));
      }),
    );
  });

  it("that is begun anew is complete only when its own pages are answered, not those of the former one", () => {
    const { list, pages } = told(1);
    list.start([7], (page, last) => pages.push({ page, last }));
    list.answered();
    expect(list.isComplete).toBe(false);
    list.answered();
    expect(list.isComplete).toBe(true);
  });

  it("is over with its stream", () => {
    const { list, pages } = told(100 * PAGE_ENTRIES);
    list.stop();
    list.answered();
    expect(pages.length).toBe(4);
  });
});
