import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/**
 * Two projects: `unit` runs anywhere and in parallel; `lab` builds network namespaces with real routers, so its files
 * run one after the other, after everything else, with time for routes to settle.
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
          exclude: ["test/lab/**/*.test.ts"],
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
    ],
  },
});
