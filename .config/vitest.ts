import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/**
 * Three projects: `unit` runs anywhere and in parallel; `lab` builds network namespaces with real routers, `compose`
 * containers, so their files run one after the other, after everything else, with time for routes to settle.
 */
export default defineConfig({
  test: {
    root: fileURLToPath(new URL("..", import.meta.url)),
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/lab/**/*.test.ts", "test/compose/**/*.test.ts"],
          // Far more than any needs: how slow the machine is fails no test.
          testTimeout: 120_000,
          hookTimeout: 120_000,
          // Not 0: on two cores that group has one worker, and comes last.
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: "lab",
          include: ["test/lab/**/*.test.ts"],
          fileParallelism: false,
          maxWorkers: 1,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          teardownTimeout: 30_000,
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          name: "compose",
          include: ["test/compose/**/*.test.ts"],
          globalSetup: "test/compose/engine-data.ts",
          fileParallelism: false,
          maxWorkers: 1,
          testTimeout: 180_000,
          hookTimeout: 120_000,
          teardownTimeout: 60_000,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
