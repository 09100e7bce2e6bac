/** Makes the decisions of a recording once more, and compares. */
import { AssociationTable } from "../../core/auth/association-table.ts";
import { HomeAgent } from "../../core/home-agent/home-agent.ts";
import type { Input, Output } from "../../core/home-agent/io.ts";
import type { Now } from "../../core/now.ts";
import { isStart, RecordingError, readRecording } from "./read-recording.ts";
import {
  digestOf,
  type Keys,
  type RecordedInput,
  type RecordedRow,
  type RecordedStart,
  type RecordedTurn,
} from "./recording.ts";

export interface ReplayedEvent {
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface ReplayedTurn {
  /** From 1. */
  readonly number: number;
  readonly now: Now;
  readonly inputs: readonly Input[];
  readonly outputs: readonly Output[];
  readonly events: readonly ReplayedEvent[];
  /** Inputs, or the settling, that made the core throw: a bug. */
  readonly failures: readonly unknown[];
  /** What came out is what came out then. */
  readonly isSame: boolean;
}

/**
 * @param keys for a recording that has none
 * @throws RecordingError, also if the recording has no keys and none are given; what the file system says
 */
export async function* replay(path: string, keys?: Keys): AsyncGenerator<ReplayedTurn> {
  let replaying: Replaying | undefined;
  for await (const item of readRecording(path)) {
    if (isStart(item)) replaying = new Replaying(item, keys);
    else if (replaying === undefined) throw new RecordingError("this recording doesn't begin with a start");
    else if ("row" in item) replaying.restore(item);
    else if ("inputs" in item) yield replaying.turn(item);
    else throw new RecordingError("a record is neither a row nor a turn");
  }
}

class Replaying {
  readonly #agent: HomeAgent;
  readonly #forwards: boolean;
  #associations: AssociationTable;
  #turns = 0;
  #events: ReplayedEvent[] = [];

  constructor(start: RecordedStart, keys = start.keys) {
    if (keys === undefined) throw new RecordingError("this recording has no keys: they must be given");
    this.#associations = new AssociationTable(keys.mobiles, keys.foreignAgents);
    const settings = { ...start.settings, secret: keys.secret, associations: this.#associations };
    this.#agent = new HomeAgent(settings, {
      count: () => undefined,
      countBy: () => undefined,
      event: (event, fields) => this.#events.push({ event, ...fields }),
    });
    this.#forwards = start.forwards;
  }

  restore({ table, row }: RecordedRow): void {
    try {
      this.#agent.restore(table, row);
    } catch (error) {
      throw new RecordingError(`it is of another version of Anyhome: ${(error as Error).message}`);
    }
  }

  turn({ now, inputs: recorded, outputsDigest }: RecordedTurn): ReplayedTurn {
    this.#events = [];
    if (++this.#turns === 1 && this.#forwards) this.#agent.startForwarding();
    const inputs = recorded.map((input) => this.#input(input));
    const failures: unknown[] = [];
    for (const input of inputs) {
      try {
        this.#agent.take(input, now);
      } catch (error) {
        failures.push(error);
      }
    }
    let outputs: readonly Output[] | undefined;
    try {
      outputs = this.#agent.settle(now);
    } catch (error) {
      failures.push(error);
    }
    const isSame = (outputs && digestOf(outputs)) === outputsDigest;
    return { number: this.#turns, now, inputs, outputs: outputs ?? [], events: this.#events, failures, isSame };
  }

  #input(input: RecordedInput): Input {
    if (input.type !== "reconfigure") return input;
    const { associations, changes } = input;
    if (associations !== undefined)
      this.#associations = new AssociationTable(associations.mobiles, associations.foreignAgents);
    return { type: input.type, changes: { ...changes, associations: this.#associations } };
  }
}
