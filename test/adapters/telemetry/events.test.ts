import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { events } from "../../../src/adapters/telemetry/events.ts";
import { configReference } from "../../../src/config/reference.ts";

const header = `# Log events

The daemon logs JSON lines on stdout. Each has \`time\`, \`level\`, \`node\`, \`event\` (one of those below) and \`msg\`, and the
fields that its paragraph names. An event that repeats quickly is logged a few times and then once in a while, with the
number of lines left out as \`suppressed\`; counters (\`anyhome counters\`) have the exact figures.

Made from \`src/adapters/telemetry/events.ts\` by \`npm test -- test/adapters/telemetry -u\`.
`;

test("docs/events.md explains every event of the catalogue", async () => {
  const sections = Object.entries(events).map(
    ([id, event]) => `## ${id}\n\n*${event.level}*: ${event.message}\n\n${event.explanation}\n`,
  );
  await expect(`${header}\n${sections.join("\n")}`).toMatchFileSnapshot("../../../docs/events.md");
});

test("every event is logged somewhere, with all the fields that its paragraph names", () => {
  const source = readdirSync("src", { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => readFileSync(`src/${file}`, "utf8"))
    .join("\n");
  const configKeys = configReference().map(({ key }) => key.split(".").at(-1));
  const loggedWithout = Object.entries(events).map(([id, { explanation }]) => {
    const calls = [...source.matchAll(new RegExp(`event\\(\\s*"${id}"(.*?)\\);`, "gs"))].map(
      ([, fields = ""]) => fields,
    );
    const named = [...explanation.matchAll(/`([a-z]+[A-Za-z]*)`/g)].map(([, name = ""]) => name);
    const missing = named
      .filter((name) => !configKeys.includes(name))
      .filter((name) => !calls.some((fields) => new RegExp(`\\b${name}\\b`).test(fields)));
    return [id, calls.length === 0 ? "never logged" : missing];
  });
  expect(loggedWithout.filter(([, problem]) => problem?.length)).toEqual([]);
});

test("event ids are kebab-case and messages are one phrase", () => {
  for (const [id, event] of Object.entries(events)) {
    expect(id).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(event.message).not.toMatch(/[.\n]/);
    expect(event.explanation).toMatch(/\.$/);
  }
});
