/**
 * Tells a long list in pages, of which each is answered: a few are under way at a time, however long the list is. It may be
 * a live set, whose new members come at its end.
 */
export const PAGE_ENTRIES = 500;
const MAXIMUM_UNDER_WAY = 4;

export class PagedList<T> {
  #rest: Iterator<T> | undefined;
  #send: (page: readonly T[], last: boolean) => void = () => undefined;
  #underWay = 0;
  #isComplete = false;

  /** All of it was told, and answered. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** A list that was begun before is not told to its end; its pages that are under way will be answered first. */
  start(list: Iterable<T>, send: (page: readonly T[], last: boolean) => void): void {
    this.#rest = list[Symbol.iterator]();
    this.#send = send;
    this.#isComplete = false;
    this.#advance();
  }

  answered(): void {
    if (this.#underWay === 0) return;
    this.#underWay--;
    this.#advance();
    if (this.#rest === undefined && this.#underWay === 0) this.#isComplete = true;
  }

  /** No answer will arrive any more. */
  stop(): void {
    this.#rest = undefined;
    this.#underWay = 0;
    this.#isComplete = false;
  }

  #advance(): void {
    while (this.#rest !== undefined && this.#underWay < MAXIMUM_UNDER_WAY) {
      const page: T[] = [];
      let next = this.#rest.next();
      while (!next.done) {
        page.push(next.value);
        if (page.length === PAGE_ENTRIES) break;
        next = this.#rest.next();
      }
      if (next.done) this.#rest = undefined;
      this.#underWay++;
      this.#send(page, this.#rest === undefined);
    }
  }
}
