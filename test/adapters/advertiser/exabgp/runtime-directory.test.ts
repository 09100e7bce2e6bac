/** The directory that daemon and ExaBGP share may lie where others have been first. */
import { spawn } from "node:child_process";
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { RuntimeDirectory } from "../../../../src/adapters/advertiser/exabgp/runtime-directory.ts";

const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "anyhome-runtime-"));
  path = join(directory, "run");
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

const claim = () => new RuntimeDirectory(path, {}).claim();

describe("a runtime directory", () => {
  test("is made, for nobody else to write", async () => {
    path = join(directory, "above", "run");
    await claim();
    expect(lstatSync(path).mode & 0o777).toBe(0o750);
  });

  test("is refused where every user can write", async () => {
    mkdirSync(path);
    chmodSync(path, 0o777);
    await expect(claim()).rejects.toThrow("can be written by every user");
  });

  test("is refused where it is a link to another one", async () => {
    symlinkSync(mkdtempSync(join(directory, "elsewhere-")), path);
    await expect(claim()).rejects.toThrow("is not a directory");
  });

  test.runIf(isRoot)("is refused where it is another user's", async () => {
    mkdirSync(path);
    chownSync(path, NOBODY, NOBODY);
    await expect(claim()).rejects.toThrow("belongs to another user (65534)");
  });

  test("has its files written in the place of links found there, not through them", async () => {
    mkdirSync(path, { mode: 0o770 });
    const victim = join(directory, "victim");
    writeFileSync(victim, "precious", { mode: 0o644 });
    for (const name of ["anyhome_exabgp.py.new", "anyhome_exabgp.py", "exabgp.conf.new", "exabgp.conf", "exabgp.pid"]) {
      symlinkSync(victim, join(path, name));
    }
    const runtime = new RuntimeDirectory(path, isRoot ? { uid: NOBODY } : {});
    await runtime.claim();
    runtime.write(runtime.files.config, "neighbor ...");
    runtime.recordSpeaker(process.pid);
    expect(readFileSync(victim, "utf8")).toBe("precious");
    expect(lstatSync(victim)).toMatchObject({ uid: process.getuid?.(), mode: 0o100_644 });
    expect(lstatSync(runtime.files.helper).isFile()).toBe(true);
    expect(readFileSync(runtime.files.config, "utf8")).toBe("neighbor ...");
  });

  test.runIf(isRoot)(
    "doesn't make us kill a process that another user has named in it, but one that we have",
    async () => {
      mkdirSync(path, { mode: 0o770 });
      const child = spawn("sleep", ["60"]);
      const ended = new Promise<NodeJS.Signals | null>((resolve) => child.once("exit", (_, signal) => resolve(signal)));
      try {
        const runtime = new RuntimeDirectory(path, {});
        runtime.recordSpeaker(child.pid ?? 0);
        chownSync(join(path, "exabgp.pid"), NOBODY, NOBODY);
        await runtime.claim();
        expect(child.kill(0)).toBe(true);
        expect(child.exitCode ?? child.signalCode).toBeNull();
        runtime.recordSpeaker(child.pid ?? 0);
        await runtime.claim();
        expect(await ended).toBe("SIGKILL");
      } finally {
        child.kill("SIGKILL");
      }
    },
  );
});
