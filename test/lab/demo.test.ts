import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, describe, expect, test } from "vitest";
import type { BindingView } from "../../src/adapters/api/bindings.ts";
import { mobileRows, mobileTable } from "../../src/lab/demo/demo-mobiles.ts";
import { Lab } from "../../src/lab/namespaces/lab.ts";
import { newLabName, whereLabsRun } from "./harness.ts";

function demo(...args: string[]) {
  const script = fileURLToPath(new URL("../../src/lab/demo/demo.ts", import.meta.url));
  return execa(process.execPath, [script, ...args], { reject: false });
}

/** The rows of the table of mobiles under a heading: `[mobile, care-of address, ingress, owner]`. */
function rowsAfter(heading: string, output: string): string[][] {
  const part = output.slice(output.indexOf(heading));
  return part
    .slice(0, part.indexOf("\n\n", part.indexOf("MOBILE ")))
    .split("\n")
    .map((line) => line.trim().split(/ +/).slice(0, 4))
    .filter(([first]) => first?.startsWith("10.64."));
}

whereLabsRun("the demo on routers", () => {
  const lab = new Lab(newLabName());
  afterAll(() => lab.down());

  test("shows registrations, routes and a failure, and keeps the lab if asked to", async () => {
    const { exitCode, stdout, stderr } = await demo("--keep", "--name", lab.place.name);
    expect([exitCode, stderr]).toEqual([0, ""]);

    const before = rowsAfter("Register eight mobiles", stdout);
    expect(before.map(([mobile]) => mobile)).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((last) => `10.64.1.${last}`));
    expect(new Set(before.map(([, careOfAddress]) => careOfAddress))).toEqual(new Set(["10.1.11.2", "10.1.12.2"]));

    const victim = /Kill (ha\d)/.exec(stdout)?.[1] ?? "";
    expect(stdout).toContain(`Routing takes them to ${victim}`);
    expect(stdout).toMatch(/1000 pings were sent before, while and after ha\d died: \d+ were answered/);
    if (!stdout.includes("in user space")) expect(stdout).toContain("died: 1000 were answered");
    expect(stdout).toMatch(/r1 has stopped routing to it after \d+ ms/);
    const [healthy = "", degraded = ""] = stdout
      .split("Kill ha")
      .map((part) => part.slice(part.indexOf("10.64.0.0/12 nhid")));
    expect([healthy.match(/nexthop/g)?.length, degraded.match(/nexthop/g)?.length]).toEqual([3, 2]);

    const after = rowsAfter("Register the mobiles again", stdout);
    expect(after).toHaveLength(8);
    expect(after.flatMap(([, , ingress, owner]) => [ingress, owner])).not.toContain(victim);

    const [story = ""] = stdout.split("The lab stays");
    expect(Math.max(...story.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(await lab.exists()).toBe(true);
    expect(stdout).toContain(`lab down --name ${lab.place.name}`);
  });

  test("removes what an earlier demo left, and in the end itself", async () => {
    const { exitCode, stdout } = await demo("--name", lab.place.name);
    expect(exitCode).toBe(0);
    expect(stdout).toContain("removing the lab that an earlier demo left");
    expect(await lab.exists()).toBe(false);
  });
});

describe("the demo without routers", () => {
  test("registers mobiles, goes on without one home agent, and says that nothing was routed", async () => {
    const { exitCode, stdout } = await demo("--without-routers");
    expect(exitCode).toBe(0);
    expect(stdout).toContain("WITHOUT routers");
    expect(stdout).toContain("Nothing was routed");
    expect(rowsAfter("Register six mobiles", stdout)).toHaveLength(6);
    const victim = /Kill (ha\d)/.exec(stdout)?.[1];
    const after = rowsAfter("Kill ha", stdout);
    expect(after).toHaveLength(6);
    expect(after.flatMap(([, , ingress, owner]) => [ingress, owner])).not.toContain(victim);
  });
});

test("an option that there is not is wrong usage", async () => {
  const { exitCode, stderr } = await demo("--fast");
  expect([exitCode, stderr]).toEqual([2, expect.stringContaining("usage: npm run demo")]);
});

describe("the table of mobiles", () => {
  const view = (roles: BindingView["roles"], identification: string): BindingView => ({
    mobile: "ip:10.64.1.1",
    homeAddress: "10.64.1.1",
    nai: null,
    careOfAddress: "10.1.11.2",
    careOfAddresses: [],
    foreignAgent: "10.1.11.2:434",
    owner: "ha3",
    ownerAddress: "10.1.0.13",
    roles,
    state: "permanent",
    lifetime: 1800,
    expiresAt: null,
    identification,
    generation: 1,
  });

  test("puts together what each home agent knows; the ingress is who saw the last request", () => {
    const rows = mobileRows(
      new Map([
        ["ha1", [view(["ingress"], "0x0000000000000001")]],
        ["ha2", [view(["ingress"], "0x0000000000000002")]],
        ["ha3", [view(["owner"], "0x0000000000000002")]],
      ]),
    );
    expect(rows).toEqual([
      { mobile: "10.64.1.1", careOfAddress: "10.1.11.2", ingress: "ha2", owner: "ha3", lifetime: 1800 },
    ]);
    expect(mobileTable(rows)).toMatch(/^10\.64\.1\.1 +10\.1\.11\.2 +ha2 +ha3 +1800 s$/m);
  });

  test("has no row for a mobile that nobody owns", () => {
    expect(mobileRows(new Map([["ha1", [view(["ingress"], "0x0000000000000001")]]]))).toEqual([]);
  });
});
