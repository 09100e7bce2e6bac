/** Writes a recording while the daemon serves. Whatever becomes of the file, the service goes on. */
import { once } from "node:events";
import { createWriteStream, type WriteStream } from "node:fs";
import { open } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import type { AssociationTable } from "../../core/auth/association-table.ts";
import type { Input, Output } from "../../core/home-agent/io.ts";
import type { HomeAgentSettings } from "../../core/home-agent/settings.ts";
import type { Now } from "../../core/now.ts";
import {
  digestOf,
  encodeRecord,
  type Keys,
  RECORDING_FORMAT,
  type RecordedInput,
  type RecordedItem,
  type RecordedRow,
} from "./recording.ts";

/** What waits for a disk that is slower than the registrations: more, and the recording ends. */
const MAXIMUM_WAITING_BYTES = 64 * 1024 * 1024;
const CLOSE_TIMEOUT_MS = 5000;

export interface RecordingOptions {
  readonly path: string;
  readonly version: string;
  readonly settings: HomeAgentSettings;
  readonly withKeys: boolean;
  readonly forwards: boolean;
  /** The file ends before the daemon does. */
  readonly ended: (reason: string) => void;
}

export class Recorder {
  readonly #file: WriteStream;
  readonly #withKeys: boolean;
  readonly #ended: (reason: string) => void;
  #associations: AssociationTable;
  #isWriting = true;

  private constructor(file: WriteStream, { settings, withKeys, ended }: RecordingOptions) {
    this.#file = file;
    this.#withKeys = withKeys;
    this.#ended = ended;
    this.#associations = settings.associations;
    file.on("error", (error) => this.#end(error.message));
  }

  /** Rejects if the file is there already, or can't be made. Only its owner may read it. */
  static async start(options: RecordingOptions): Promise<Recorder> {
    const { path, version, settings, withKeys, forwards } = options;
    const handle = await open(path, "wx", 0o600);
    const recorder = new Recorder(createWriteStream(path, { fd: handle }), options);
    const { secret, associations, ...rest } = settings;
    recorder.#write({
      format: RECORDING_FORMAT,
      version,
      startedAtMs: Date.now(),
      settings: rest,
      keys: withKeys ? { secret, ...listsOf(associations) } : undefined,
      forwards,
    });
    return recorder;
  }

  /** Before the first turn. Resolves when there is room for more. */
  async restored(row: RecordedRow): Promise<void> {
    this.#write(row);
    if (this.#isWriting && this.#file.writableNeedDrain) await this.#until("drain");
  }

  /** @param outputs `undefined` if settling failed */
  turn(now: Now, inputs: readonly Input[], outputs: readonly Output[] | undefined): void {
    if (!this.#isWriting) return;
    this.#write({
      now,
      inputs: inputs.map((input) => this.#recorded(input)),
      outputsDigest: outputs && digestOf(outputs),
    });
  }

  /** Resolves when everything is written, nothing more can be, or the disk takes too long. */
  async close(): Promise<void> {
    if (!this.#isWriting) return;
    this.#isWriting = false;
    this.#file.end();
    const closed = this.#until("close");
    await Promise.race([closed, setTimeout(CLOSE_TIMEOUT_MS, undefined, { ref: false })]);
  }

  /** Or until there is no hope of it. */
  async #until(event: "drain" | "close"): Promise<void> {
    await once(this.#file, event).catch(() => undefined);
  }

  #recorded(input: Input): RecordedInput {
    if (input.type !== "reconfigure") return input;
    const { associations, ...changes } = withoutSecret(input.changes);
    const isNew = associations !== this.#associations;
    this.#associations = associations;
    return { type: input.type, changes, associations: isNew && this.#withKeys ? listsOf(associations) : undefined };
  }

  #write(item: RecordedItem): void {
    if (!this.#isWriting) return;
    try {
      this.#file.write(encodeRecord(item));
    } catch (error) {
      this.#end((error as Error).message);
    }
    if (this.#file.writableLength > MAXIMUM_WAITING_BYTES) this.#end("its disk is slower than what is to be recorded");
  }

  #end(reason: string): void {
    if (!this.#isWriting) return;
    this.#isWriting = false;
    this.#file.destroy();
    this.#ended(reason);
  }
}

/** The daemon hands over all of its settings. */
function withoutSecret<Changes extends object>(changes: Changes): Changes {
  const { secret: _, ...rest } = changes as Changes & { readonly secret?: unknown };
  return rest as Changes;
}

function listsOf({ mobiles, foreignAgents }: AssociationTable): Pick<Keys, "mobiles" | "foreignAgents"> {
  return { mobiles, foreignAgents };
}
