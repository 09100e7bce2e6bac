import { Writable } from "node:stream";
import { describe, expect, test } from "vitest";
import type { GuardOrder } from "../../../../src/adapters/advertiser/ospf/guard.ts";
import { GuardProcess } from "../../../../src/adapters/advertiser/ospf/guard-keeper.ts";
import { GuardReporter, parseGuardReport } from "../../../../src/adapters/advertiser/ospf/guard-reports.ts";
import { waitFor } from "../../../../src/lab/wait.ts";

const ORDER: GuardOrder = {
  vtyPath: "/nowhere/ospfd.vty",
  routerId: "192.0.2.1",
  interfaceName: "anyhome-none",
  prefixes: [],
};

/** Takes a line only when it is told to. */
class SlowReader extends Writable {
  readonly taken: unknown[] = [];
  #take: (() => void) | undefined;

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    this.#take = () => {
      this.taken.push(JSON.parse(chunk.toString()));
      callback();
    };
  }

  read(): void {
    this.#take?.();
  }
}

describe("what a guard of ospfd tells its daemon", () => {
  test("is one report at most that nobody has read, and that ospfd was ended isn't lost", () => {
    const reader = new SlowReader();
    const reporter = new GuardReporter(reader);
    reporter.tell({});
    const { writableLength } = reader;
    reporter.tell({ ended: ["10.64.0.0/12"] });
    for (let look = 0; look < 1000; look++) reporter.tell({ failure: `as of look ${look}` });
    expect(reader.writableLength).toBe(writableLength);
    reader.read();
    reporter.tell({ failure: "as it is now" });
    reader.read();
    reporter.tell({});
    reader.read();
    expect(reader.taken).toEqual([{}, { ended: ["10.64.0.0/12"], failure: "as it is now" }, {}]);
  });

  test.each(["", "null", "[]", "{", '{"ended":"10.64.0.0/12"}', '{"failure":1}', '{"other":1}', "x".repeat(100)])(
    "is no report: %j",
    (line) => {
      expect(parseGuardReport(line)).toBeUndefined();
    },
  );

  test("ends it, where that makes no sense, and the daemon goes on", { timeout: 60_000 }, async () => {
    const rogue = new URL("./rogue-guard.ts", import.meta.url);
    const keeper = new GuardProcess(ORDER, { event: () => undefined }, rogue);
    try {
      const problem = await waitFor(() => keeper.problem, { deadlineMs: 30_000, what: "the nonsense to be noticed" });
      expect(problem).toBe("the guard of ospfd ended: it was killed, as it sent what is no report");
    } finally {
      keeper.release();
    }
  });
});
