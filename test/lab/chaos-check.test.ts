/** What the checker of lab chaos takes for a broken promise. It needs no lab. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { BindingView } from "../../src/adapters/api/bindings.ts";
import { AcceptedLog } from "../../src/lab/chaos/accepted-log.ts";
import { type AcceptedRegistration, checkCluster, findLost, isClean } from "../../src/lab/chaos/chaos-check.ts";
import { drawFault, FAULT_KINDS } from "../../src/lab/chaos/chaos-faults.ts";
import { Random } from "../../src/sim/random.ts";

const NOW_MS = Date.parse("2030-01-01T00:10:00.000Z");
const OLD = "0xeeae6a5562e00001";
const NEW = "0xeeae6a5562e00002";
const settings = { nowMs: NOW_MS, copies: 3 };

const registration: AcceptedRegistration = {
  time: "2030-01-01T00:00:00.000Z",
  homeAddress: "10.64.1.1",
  nai: null,
  identification: NEW,
  lifetime: 1800,
  latencyMs: 3,
  tries: 1,
};
const told = (changes: Partial<AcceptedRegistration> = {}) =>
  new Map([["ip:10.64.1.1", { ...registration, ...changes }]]);

const view: BindingView = {
  mobile: "ip:10.64.1.1",
  homeAddress: "10.64.1.1",
  nai: null,
  careOfAddress: "10.1.11.2",
  careOfAddresses: [],
  foreignAgent: "10.1.11.2:434",
  owner: "ha1",
  ownerAddress: "10.1.0.11",
  roles: ["backup"],
  state: "permanent",
  lifetime: 1800,
  expiresAt: "2030-01-01T00:30:00.000Z",
  identification: NEW,
  generation: 1,
};

/** What ha1, the owner, and the others list; `undefined` for nothing. */
function listings(...changes: (Partial<BindingView> | undefined)[]) {
  return new Map(
    changes.map((change, index) => [
      `ha${index + 1}`,
      change === undefined ? [] : [{ ...view, ...(index === 0 ? { roles: ["owner" as const] } : {}), ...change }],
    ]),
  );
}

test("a binding that its owner and its backups hold alike, as it was accepted, is as promised", () => {
  expect(checkCluster(told(), listings({}, {}, {}), settings)).toEqual({
    accepted: 1,
    lost: [],
    owners: [],
    differing: [],
    missing: [],
  });
});

test("a binding that is newer than what was accepted is as promised: a reply may get lost on its way", () => {
  expect(isClean(checkCluster(told({ identification: OLD }), listings({}, {}, {}), settings))).toBe(true);
});

test("an ingress that remembers who the owner is has no part in it", () => {
  const ingress = { ...view, roles: ["ingress" as const], identification: OLD, generation: 9 };
  const held = new Map([...listings({}, {}, {}), ["ha4", [ingress]]]);
  expect(isClean(checkCluster(told(), held, settings))).toBe(true);
});

test.each([
  ["lost where nobody holds it", listings(undefined, undefined), ["lost", "owners", "missing"]],
  ["lost where only an older registration is held", listings(...old(3)), ["lost", "differing"]],
  ["not owned where all hold it as backups", listings({ roles: ["backup"] }, {}, {}), ["owners"]],
  ["owned twice", listings({}, { roles: ["owner"], owner: "ha2" }, {}), ["owners", "differing"]],
  ["different where a backup is behind", listings({}, {}, ...old(1)), ["differing"]],
  ["different where a backup has another expiry", listings({}, {}, { expiresAt: null }), ["differing"]],
  ["different where a backup has another generation", listings({}, {}, { generation: 2 }), ["differing"]],
  ["missing where a backup has none", listings({}, {}, undefined), ["missing"]],
])("a binding is %s", (_, held, problems) => {
  const findings = checkCluster(told(), held, settings);
  const found = (["lost", "owners", "differing", "missing"] as const).filter((kind) => findings[kind].length > 0);
  expect(found).toEqual(problems);
  expect(isClean(findings)).toBe(false);
});

function old(copies: number): Partial<BindingView>[] {
  return Array.from({ length: copies }, () => ({ identification: OLD }));
}

test("a finding says what was accepted, and what each home agent holds instead", () => {
  const [finding] = findLost(told(), listings(...old(2)), NOW_MS);
  expect(finding?.mobile).toBe("ip:10.64.1.1");
  expect(finding?.problem).toContain(`accepted ${NEW}`);
  expect(finding?.problem).toContain(`ha2 (backup): ${OLD}`);
});

test.each([
  ["has expired", { lifetime: 300 }],
  ["is about to expire", { lifetime: 605 }],
  ["was a deregistration", { lifetime: 0 }],
])("nothing is owed to a mobile whose registration %s", (_, changes) => {
  expect(findLost(told(changes), listings(undefined), NOW_MS)).toEqual([]);
});

test("an infinite lifetime is owed for ever", () => {
  const forever = told({ lifetime: 65_535, time: "2020-01-01T00:00:00.000Z" });
  expect(findLost(forever, listings(undefined), NOW_MS)).toHaveLength(1);
});

test("a log that grows is read on, whole lines only, and the newest registration of each mobile counts", () => {
  const directory = mkdtempSync(join(tmpdir(), "anyhome-chaos-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, "accepted.ndjson");
  const lines = [{ ...registration, identification: NEW }, registration, { ...registration, nai: "a@lab.example" }];
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
  const log = new AcceptedLog([file]);
  writeFileSync(file, text.slice(0, -10));
  log.read();
  expect([log.count, [...log.last.keys()]]).toEqual([2, ["ip:10.64.1.1"]]);
  writeFileSync(file, text.slice(-10), { flag: "a" });
  log.read();
  log.read();
  expect([log.count, [...log.last.keys()]]).toEqual([3, ["ip:10.64.1.1", "nai:a@lab.example"]]);
  writeFileSync(file, `${JSON.stringify({ ...registration, identification: OLD })}\n`, { flag: "a" });
  log.read();
  expect(log.last.get("ip:10.64.1.1")?.identification).toBe(NEW);
  writeFileSync(file, "gibberish\n", { flag: "a" });
  expect(() => log.read()).toThrow("no line of such a log: gibberish");
});

test("the same seed draws the same faults", () => {
  const draw = (seed: number) => {
    const random = new Random(seed);
    return Array.from({ length: 20 }, () => drawFault(random, FAULT_KINDS, ["ha1", "ha2", "ha3"]));
  };
  expect(draw(7)).toEqual(draw(7));
  expect(draw(7)).not.toEqual(draw(8));
});
