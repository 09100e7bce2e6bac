import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ACCOUNT = fileURLToPath(new URL("../../../../src/adapters/advertiser/exabgp/account.ts", import.meta.url));
const SCRIPT = `const { findAccount, findGroup } = await import(process.argv[1]);
console.log(JSON.stringify([await findAccount(undefined), await findGroup(undefined)]));`;

test.skipIf(process.getuid?.() !== 0)("an account without a name, as containers have them, is its own", () => {
  const node = [process.execPath, "--input-type=module", "-e", SCRIPT, ACCOUNT];
  const { stdout, stderr } = spawnSync("setpriv", ["--reuid=54321", "--regid=54322", "--clear-groups", ...node]);
  expect(stderr.toString()).toBe("");
  expect(JSON.parse(stdout.toString())).toEqual([{ name: "54321", uid: 54321, gid: 54322, foreign: false }, 54322]);
});
