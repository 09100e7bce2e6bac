import { describe, expect, it } from "vitest";
import {
  ACKNOWLEDGEMENT_TIMEOUT_MS,
  Link,
  PAGE_ROWS,
  WINDOW_ROWS,
} from "../../../src/core/replication/peer-progress.ts";

function openLink(): Link {
  const link = new Link();
  link.opened(0);
  return link;
}

function fill(link: Link, rows: number): void {
  for (let count = 0; count < rows; count++) link.enqueue(Buffer.from("row"));
}

describe("the acknowledgement of a page", () => {
  it("says nothing of the pages behind it", () => {
    const link = openLink();
    fill(link, 2 * PAGE_ROWS + 1);
    const pages = link.flush(700, 0);
    expect(pages.map((page) => page.type === "rows" && [page.rows.length, page.number])).toEqual([
      [PAGE_ROWS, 1],
      [PAGE_ROWS, 2],
      [1, 3],
    ]);
    link.acknowledged(2);
    expect(link.covers(700)).toBe(false);
    link.acknowledged(3);
    expect(link.covers(700)).toBe(true);
  });
});

describe("what a peer is owed", () => {
  it("is not paid with a disk that has failed, and then for what was handed to it again", () => {
    const link = openLink();
    link.oweAcknowledgement(5, Number.POSITIVE_INFINITY);
    expect(link.takeAcknowledgement(() => Number.POSITIVE_INFINITY <= 10)).toBeUndefined();
    link.recovered(12);
    expect(link.takeAcknowledgement((position) => position <= 11)).toBeUndefined();
    expect(link.takeAcknowledgement((position) => position <= 12)).toEqual({ type: "ack", number: 5 });
  });
});

describe("a peer that is too slow", () => {
  it("gets no more rows once its window is full, and catches up after it has drained", () => {
    const link = openLink();
    link.acknowledged(0);
    fill(link, WINDOW_ROWS + 1);
    link.flush(9, 0);
    expect(link.state).toBe("catching-up");
    expect(link.isAvailable).toBe(false);
    fill(link, 5);
    expect(link.flush(10, 0)).toEqual([]);
    expect(link.resume(10)).toBe(false);
    link.acknowledged(Number.MAX_SAFE_INTEGER);
    expect(link.resume(10)).toBe(true);
    expect(link.isAvailable).toBe(true);
    expect(link.covers(10)).toBe(false);
  });

  it("doesn't hold up replies for longer than a second", () => {
    const link = openLink();
    fill(link, 1);
    link.flush(1, 0);
    expect(link.checkLag(ACKNOWLEDGEMENT_TIMEOUT_MS)).toBe(false);
    expect(link.checkLag(ACKNOWLEDGEMENT_TIMEOUT_MS + 1)).toBe(true);
    expect(link.isAvailable).toBe(false);
  });
});

describe("a row that was changed before the stream was there", () => {
  it("is safe only when the synchronization is", () => {
    const link = new Link();
    link.opened(50);
    expect(link.covers(40)).toBe(false);
    link.synchronized(0);
    link.acknowledged(1);
    expect(link.covers(40)).toBe(true);
  });

  it("is not safe by the acknowledgement of other rows that were sent while nothing changed here", () => {
    const link = new Link();
    link.opened(50);
    fill(link, 1);
    link.flush(50, 0);
    fill(link, 1);
    link.flush(50, 0);
    link.synchronized(0);
    link.acknowledged(1);
    expect(link.covers(40)).toBe(false);
    link.acknowledged(3);
    expect(link.covers(40)).toBe(true);
  });
});

describe("an answer to digests", () => {
  it("counts only if no newer ones are under way, which know of rows that the first did not", () => {
    const link = openLink();
    link.digestsSent();
    link.digestsSent();
    expect(link.digestsAnswered()).toBe(false);
    expect(link.digestsAnswered()).toBe(true);
  });
});

describe("more rows than may be queued at once", () => {
  const mobiles = Array.from({ length: 3 * WINDOW_ROWS }, (_, index) => `ip:10.${index}` as const);

  function sendAll(link: Link): number {
    let sent = 0;
    for (let page = link.takeBacklog(); page !== undefined; page = link.takeBacklog()) {
      for (const mobile of page.mobiles) link.enqueue(Buffer.from(mobile));
      sent += page.mobiles.length;
      link.flush(1, 0);
    }
    return sent;
  }

  it("go out page by page, half a window at most, and go on once they are acknowledged", () => {
    const link = openLink();
    link.startBacklog("owned", mobiles, () => undefined);
    expect(sendAll(link)).toBeLessThanOrEqual(WINDOW_ROWS / 2 + PAGE_ROWS);
    expect(link.isAvailable).toBe(true);
    link.acknowledged(Number.MAX_SAFE_INTEGER);
    expect(sendAll(link)).toBeGreaterThan(0);
  });

  it("say with the last page what is to be said behind them", () => {
    const link = openLink();
    const end = { type: "differing", buckets: [1] } as const;
    link.startBacklog("copies", mobiles.slice(0, PAGE_ROWS + 1), () => end);
    expect(link.takeBacklog()?.end).toBeUndefined();
    expect(link.takeBacklog()?.end?.()).toBe(end);
    expect(link.takeBacklog()).toBeUndefined();
  });

  it("that are superseded leave what they had to say to those that supersede them", () => {
    const link = openLink();
    const end = { type: "differing", buckets: [1] } as const;
    link.startBacklog("copies", mobiles, () => end);
    expect(link.startBacklog("copies", [], () => undefined)).toBe(end);
  });
});
