import { expect, test } from "vitest";
import { Counters, counterDefinitions } from "../../../src/adapters/telemetry/counters.ts";

const header = `# Metrics

\`anyhome counters\` prints these counters, and so does \`GET /v1/counters\` of the [control API](api.md). They count from the start
of the daemon. A counter with a label is an object whose keys are the values of that label; the table names the label.

Made from \`src/adapters/telemetry/counters.ts\` by \`npm test -- test/adapters/telemetry -u\`.
`;

test("docs/metrics.md explains every counter", async () => {
  const rows = Object.entries(counterDefinitions).map(
    ([name, definition]) => `| \`${name}\` | ${"label" in definition ? definition.label : ""} | ${definition.help} |`,
  );
  const table = ["| counter | label | counts |", "| --- | --- | --- |", ...rows, ""].join("\n");
  await expect(`${header}\n${table}`).toMatchFileSnapshot("../../../docs/metrics.md");
});

test("plain counters add up, and are present at 0", () => {
  const counters = new Counters();
  counters.add("requests-received");
  counters.add("requests-received", 4);
  expect(counters.snapshot()).toMatchObject({ "requests-received": 5, "requests-served": 0 });
});

test("labelled counters are split by label, and are present while empty", () => {
  const counters = new Counters();
  counters.addLabeled("datagrams-dropped", "truncated-message");
  counters.addLabeled("datagrams-dropped", "no-association", 2);
  counters.addLabeled("datagrams-dropped", "truncated-message");
  const snapshot = counters.snapshot();
  expect(snapshot["datagrams-dropped"]).toEqual({ "truncated-message": 2, "no-association": 2 });
  expect(snapshot["frames-rejected"]).toEqual({});
});

test("a counter that somebody else keeps shows what they say", () => {
  const counters = new Counters();
  counters.setLabeled("receive-overflows", "cluster", 7);
  counters.setLabeled("receive-overflows", "cluster", 9);
  expect(counters.snapshot()["receive-overflows"]).toEqual({ cluster: 9 });
});

test("labels made up by a sender do not grow without end, and nothing goes uncounted", () => {
  const counters = new Counters();
  for (let i = 0; i < 10_000; i++) counters.addLabeled("frames-rejected", `reason-${i}`);
  const values = counters.snapshot()["frames-rejected"];
  expect(Object.keys(values).length).toBeLessThan(300);
  expect(Object.values(values).reduce((sum: number, value) => sum + value, 0)).toBe(10_000);
});

test("every type of extension is counted by itself, whatever others were sent before", () => {
  const counters = new Counters();
  for (let type = 0; type < 256; type++) counters.addLabeled("extensions-unsupported", String(type));
  const types = Object.keys(counters.snapshot()["extensions-unsupported"]);
  expect(types.toSorted((a, b) => Number(a) - Number(b))).toEqual(
    Array.from({ length: 256 }, (_, type) => String(type)),
  );
});

test("a snapshot does not change afterwards", () => {
  const counters = new Counters();
  counters.addLabeled("replies-sent", "0");
  const snapshot = counters.snapshot();
  counters.addLabeled("replies-sent", "0");
  expect(snapshot["replies-sent"]).toEqual({ 0: 1 });
});
