import { describe, expect, it } from "vitest";
import { Guard, type GuardedOspfd, localOspfd } from "../../../../src/adapters/advertiser/ospf/guard.ts";
import type { GuardReport } from "../../../../src/adapters/advertiser/ospf/guard-reports.ts";
import { FakeOspfd } from "./fake-ospfd.ts";

const NETWORK = "10.64.0.0/12";
/** More than its patience and the interval between two questions. */
const LONG = 40;

class Ospfd implements GuardedOspfd {
  kernel: string[] = [NETWORK];
  says: string[] | undefined = [NETWORK];
  /** Looks until then. */
  endedAfter: number[] = [];
  questions = 0;
  looks = 0;
  failure: Error | undefined;
  /** What happens while it is asked. */
  meanwhile = () => {};

  leased = () => new Set(this.kernel);
  announced = async () => {
    this.questions += 1;
    this.meanwhile();
    return this.says;
  };
  mayEnd = async () => {
    if (this.failure) throw this.failure;
  };
  end = async () => {
    if (this.failure) throw this.failure;
    this.endedAfter.push(this.looks);
    this.says = [];
  };
}

async function look(guard: Guard, ospfd: Ospfd, times: number) {
  const reports: GuardReport[] = [];
  for (let n = 0; n < times; n++) {
    ospfd.looks += 1;
    reports.push(await guard.look());
  }
  return reports;
}

describe("the guard of ospfd", () => {
  it("asks nothing while the kernel has all that is announced", async () => {
    const ospfd = new Ospfd();
    const guard = new Guard([NETWORK], ospfd);
    await look(guard, ospfd, LONG);
    expect(guard.isSettled).toBe(true);
    expect(ospfd.questions).toBe(0);
  });

  it("ends an ospfd that goes on announcing what the kernel has lost, once it had the time to learn of it", async () => {
    const ospfd = new Ospfd();
    const guard = new Guard([NETWORK], ospfd);
    await look(guard, ospfd, 5);
    ospfd.kernel = [];
    const reports = await look(guard, ospfd, LONG);
    expect(ospfd.endedAfter).toEqual([25]);
    expect(reports.filter(({ ended }) => ended)).toEqual([{ ended: [NETWORK] }]);
    expect(guard.isSettled).toBe(true);
  });

  it("leaves one alone that has learned of it, and asks it now and then", async () => {
    const ospfd = new Ospfd();
    const guard = new Guard([NETWORK], ospfd);
    ospfd.kernel = ospfd.says = [];
    await look(guard, ospfd, 100);
    expect(ospfd.endedAfter).toEqual([]);
    expect(ospfd.questions).toBeLessThanOrEqual(10);
    expect(guard.isSettled).toBe(true);
    // It comes back from a pause, with what it knew before.
    ospfd.says = [NETWORK];
    await look(guard, ospfd, LONG);
    expect(ospfd.endedAfter).toHaveLength(1);
  });

  it("leaves one alone whose lease comes back, also while it is asked", async () => {
    const ospfd = new Ospfd();
    const guard = new Guard([NETWORK], ospfd);
    for (let times = 0; times < 5; times++) {
      ospfd.kernel = [];
      await look(guard, ospfd, 15);
      ospfd.kernel = [NETWORK];
      await look(guard, ospfd, 1);
    }
    expect(ospfd.questions).toBe(0);
    ospfd.kernel = [];
    ospfd.meanwhile = () => {
      ospfd.kernel = [NETWORK];
    };
    await look(guard, ospfd, LONG);
    expect(ospfd.questions).toBe(1);
    expect(ospfd.endedAfter).toEqual([]);
  });

  it("knows nothing of one that doesn't answer, and ends it when it does and announces what is gone", async () => {
    const ospfd = new Ospfd();
    const guard = new Guard([NETWORK], ospfd);
    ospfd.kernel = [];
    ospfd.says = undefined;
    await look(guard, ospfd, LONG);
    expect(guard.isSettled).toBe(false);
    expect(ospfd.endedAfter).toEqual([]);
    ospfd.says = [NETWORK];
    await look(guard, ospfd, LONG);
    expect(ospfd.endedAfter).toHaveLength(1);
  });

  it("tells that it could not end one before it has to, and no more when it could", async () => {
    const ospfd = new Ospfd();
    const guard = new Guard([NETWORK], ospfd);
    ospfd.failure = new Error("kill EPERM");
    expect((await look(guard, ospfd, 3)).at(-1)?.failure).toMatch(/should zebra hang.*it can't be ended: kill EPERM/);
    ospfd.failure = undefined;
    expect((await look(guard, ospfd, 100)).at(-1)).toEqual({});
  });

  it("tells why it can't end one, as long as that lasts", async () => {
    const ospfd = new Ospfd();
    const guard = new Guard([NETWORK], ospfd);
    ospfd.kernel = [];
    ospfd.failure = new Error("kill EPERM");
    const reports = await look(guard, ospfd, LONG);
    expect(reports.at(-1)?.failure).toMatch(/10\.64\.0\.0\/12.*it can't be ended: kill EPERM/);
    expect(guard.isSettled).toBe(false);
    ospfd.says = [];
    expect((await look(guard, ospfd, LONG)).at(-1)).toEqual({});
  });
});

describe("an ospfd beside us", () => {
  it("is asked for what it announces; one that is gone announces nothing, one that hangs leaves it open", async () => {
    await using fake = new FakeOspfd();
    const ospfd = localOspfd({
      vtyPath: fake.path,
      routerId: "10.1.0.11",
      interfaceName: "anyhome-none",
      prefixes: [NETWORK],
    });
    expect(ospfd.leased()).toEqual(new Set());
    expect(await ospfd.announced()).toEqual([]);
    await fake.start();
    fake.routers = [{ id: "10.1.0.11", stubs: [["10.64.0.0", "255.240.0.0", 10]] }];
    expect(await ospfd.announced()).toEqual([NETWORK]);
    fake.hangs = true;
    expect(await ospfd.announced()).toBeUndefined();
  });
});
