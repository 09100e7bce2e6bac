import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { majorOf, whatDiffers } from "../../src/setup/npm-packages.mjs";

interface LockedPackage {
  version?: string;
  optional?: boolean;
  resolved?: string;
  optionalDependencies?: Record<string, string>;
}

const lock: { packages: Record<string, LockedPackage> } = JSON.parse(
  readFileSync(new URL("../../package-lock.json", import.meta.url), "utf8"),
);

describe("whether npm packages must be installed", () => {
  const locked = {
    "": {},
    "node_modules/zod": { version: "4.0.0" },
    "node_modules/zod/node_modules/inner": { version: "1.0.0" },
    "node_modules/other-platform": { version: "2.0.0", optional: true },
  };
  const installed = {
    "node_modules/zod": { version: "4.0.0" },
    "node_modules/zod/node_modules/inner": { version: "1.0.0" },
  };

  test("nothing is to be done when all that this platform needs is there in the locked version", () => {
    expect(whatDiffers(locked, installed)).toBeUndefined();
  });

  test("a checkout without node_modules needs all of them", () => {
    expect(whatDiffers(locked, undefined)).toBe("none are there yet");
  });

  test("a package that is missing is named", () => {
    expect(whatDiffers(locked, { "node_modules/zod": { version: "4.0.0" } })).toBe("inner is missing");
  });

  test("a package of another version is named with both versions", () => {
    const older = { ...installed, "node_modules/zod": { version: "3.9.0" } };
    expect(whatDiffers(locked, older)).toBe("zod is 3.9.0, not 4.0.0");
  });

  test("an optional package of another version counts as well", () => {
    const older = { ...installed, "node_modules/other-platform": { version: "1.0.0" } };
    expect(whatDiffers(locked, older)).toBe("other-platform is 1.0.0, not 2.0.0");
  });
});

test("a version is known by its major number, with or without a v", () => {
  expect([majorOf("24.1.0"), majorOf("v20.19.2\n"), majorOf("")]).toEqual([24, 20, Number.NaN]);
});

describe("the lock file", () => {
  test("names no registry: any one serves", () => {
    expect(Object.keys(lock.packages).filter((path) => lock.packages[path]?.resolved !== undefined)).toEqual([]);
  });

  test("has the packages of all platforms, without which npm 11 refuses it", () => {
    const paths = Object.keys(lock.packages);
    const missing = Object.values(lock.packages)
      .flatMap(({ optionalDependencies = {} }) => Object.keys(optionalDependencies))
      .filter(
        (name) => !paths.some((path) => path === `node_modules/${name}` || path.endsWith(`/node_modules/${name}`)),
      );
    expect(missing).toEqual([]);
  });

  test("brings the Node that the package asks for", () => {
    const { engines } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
    expect(engines.node).toBe(`>=${majorOf(lock.packages["node_modules/node"]?.version ?? "")}`);
  });
});
