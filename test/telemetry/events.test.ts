import { expect, test } from "vitest";
import { events } from "../../src/telemetry/events.ts";

const header = `# Log events

The daemon logs JSON lines on stdout. Each has \`time\`, \`level\`, \`node\`, \`event\` (one of those below) and \`msg\`, and the
fields that its paragraph names. An event that repeats quickly is logged a few times and then once in a while, with the
number of lines left out as \`suppressed\`; counters (\`anyhome counters\`) have the exact figures.

Made from \`src/telemetry/events.ts\` by \`npx vitest run test/telemetry -u\`.
`;

test("docs/events.md explains every event of the catalogue", async () => {
  const sections = Object.entries(events).map(
    ([id, event]) => `## ${id}\n\n*${event.level}*: ${event.message}\n\n${event.explanation}\n`,
  );
  await expect(`${header}\n${sections.join("\n")}`).toMatchFileSnapshot("../../docs/events.md");
});

test("event ids are kebab-case and messages are one phrase", () => {
  for (const [id, event] of Object.entries(events)) {
    expect(id).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(event.message).not.toMatch(/[.\n]/);
    expect(event.explanation).toMatch(/\.$/);
  }
});
