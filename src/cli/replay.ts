import { Command } from "commander";
import { jsonOf, type Keys } from "../adapters/recording/recording.ts";
import type { ReplayedTurn } from "../adapters/recording/replay.ts";
import { fields } from "../text/columns.ts";
import { visibleJson } from "../text/visible.ts";
import { loadOrExplain } from "./config-file.ts";
import { CliError } from "./exit.ts";
import { type OutputFormat, outputOption, print, write } from "./output.ts";

interface Options {
  readonly config?: string;
  readonly print: boolean;
  readonly output: OutputFormat;
}

interface ReplayReport {
  readonly turns: number;
  readonly inputs: number;
  readonly from: string | null;
  readonly to: string | null;
  /** Numbers of the turns whose outputs are not those of the recording; the first is the one to look at. */
  readonly different: readonly number[];
  readonly failures: readonly { readonly turn: number; readonly error: string }[];
}

/** The first difference is all that is needed to look further. */
const MAXIMUM_LISTED = 20;

export function replayCommand(): Command {
  return new Command("replay")
    .description("make the decisions of a recorded daemon once more, and compare what comes out")
    .argument("<file>", "what `anyhome run --record` has written")
    .option("-c, --config <file>", "the daemon's configuration, for the keys of a recording that has none")
    .option("--print", "print every turn as a line of JSON: its time, inputs, outputs and events", false)
    .addOption(outputOption())
    .addHelpText(
      "after",
      "\nFails if anything that comes out is not what came out then, or an input makes the core fail.\n\nExample:\n  anyhome replay ha1.recording -c /etc/anyhome/anyhome.yaml --print | jq 'select(.events != [])'",
    )
    .action(async (file: string, { config, print: printsTurns, output }: Options) => {
      const [{ replay }, { RecordingError }] = await Promise.all([
        import("../adapters/recording/replay.ts"),
        import("../adapters/recording/read-recording.ts"),
      ]);
      const keys = config === undefined ? undefined : await keysOf(config, file);
      const report = await run(replay(file, keys), printsTurns).catch((error) => {
        if (error instanceof RecordingError) throw new CliError(`${file}: ${error.message}`);
        throw error;
      });
      if (!printsTurns) await print(report, output, toText);
      if (report.different.length > 0) throw new CliError(`the outputs differ from turn ${report.different[0]} on`);
      if (report.failures.length > 0) throw new CliError(`turn ${report.failures[0]?.turn} makes the core fail`);
    });
}

async function run(turns: AsyncIterable<ReplayedTurn>, printsTurns: boolean): Promise<ReplayReport> {
  const different: number[] = [];
  const failures: { turn: number; error: string }[] = [];
  let [first, last, inputs]: [ReplayedTurn | undefined, ReplayedTurn | undefined, number] = [undefined, undefined, 0];
  for await (const turn of turns) {
    first ??= turn;
    last = turn;
    inputs += turn.inputs.length;
    if (!turn.isSame && different.length < MAXIMUM_LISTED) different.push(turn.number);
    if (failures.length < MAXIMUM_LISTED)
      failures.push(...turn.failures.map((error) => ({ turn: turn.number, error: String(error) })));
    if (printsTurns) await write(visibleJson(lineOf(turn)));
  }
  return { turns: last?.number ?? 0, inputs, from: timeOf(first), to: timeOf(last), different, failures };
}

function timeOf(turn: ReplayedTurn | undefined): string | null {
  return turn === undefined ? null : new Date(turn.now.wallMs).toISOString();
}

function lineOf({ number, now, inputs, outputs, events, failures, isSame }: ReplayedTurn): string {
  return jsonOf({ turn: number, now, inputs, outputs, events, failures: failures.map(String), same: isSame });
}

/** The configuration may be of several members: the recording knows which one it is of. */
async function keysOf(config: string, file: string): Promise<Keys> {
  const { readStart } = await import("../adapters/recording/read-recording.ts");
  const { settings } = await readStart(file);
  const { secret, mobileAssociations, foreignAgentAssociations } = (await loadOrExplain(config, settings.self)).config;
  return { secret, mobiles: mobileAssociations, foreignAgents: foreignAgentAssociations };
}

function toText({ turns, inputs, from, to, different, failures }: ReplayReport): string {
  return fields([
    ["turns", String(turns)],
    ["inputs", String(inputs)],
    ["from", from ?? "-"],
    ["to", to ?? "-"],
    ["different", different.join(", ") || "none"],
    ["failures", failures.map(({ turn, error }) => `turn ${turn}: ${error}`).join("; ") || "none"],
  ]);
}
