/** What reads bytes by the tables of messages and rows: whatever is in a table is fuzzed. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { BINDING_ROW, decodeBindingRow, encodeBindingRow } from "../../src/core/bindings/binding-row.ts";
import { decodeLocationRow, encodeLocationRow, LOCATION_ROW } from "../../src/core/bindings/location-row.ts";
import { ByteReader, ByteWriter, LayoutError } from "../../src/core/layout/byte-cursor.ts";
import type { Kind } from "../../src/core/layout/kinds.ts";
import type { MessageSet, MessageTables } from "../../src/core/layout/record.ts";
import { DATAGRAMS } from "../../src/core/protocol/datagrams.ts";
import { encodeStreamFrame, FrameSplitter, FrameTooLargeError } from "../../src/core/protocol/stream-frame.ts";
import { decodeHello, writeHello } from "../../src/core/protocol/stream-hello.ts";
import { STREAM_MESSAGES } from "../../src/core/protocol/stream-messages.ts";
import { anyMessageOf, arbitraryOf } from "../core/layout/arbitraries.ts";
import { hex } from "../core/wire/golden.ts";
import type { FuzzTarget } from "./targets.ts";

const SAMPLES = { seed: 3, numRuns: 100 };
/** Beyond it mutations hit nothing but filling. */
const LONGEST_SAMPLE = 1000;

/** Behind the authenticator, so from a faulty member; or from a disk. */
export const tableTargets: readonly FuzzTarget[] = [
  messagesTarget("datagrams", DATAGRAMS),
  messagesTarget("stream-messages", STREAM_MESSAGES),
  rowTarget("binding-row", BINDING_ROW as Kind<unknown>, (row) => encodeBindingRow(decodeBindingRow(row))),
  rowTarget("location-row", LOCATION_ROW as Kind<unknown>, (row) => encodeLocationRow(decodeLocationRow(row))),
  {
    name: "stream-hello",
    corpus: [bytesOf((writer) => writeHello(writer, { cluster: "lab", member: "ha1", bootCount: 258, sentAtMs: 7 }))],
    check(input) {
      const decoded = decodeHello(input);
      if (!decoded.ok) return;
      assert.ok(hex(input).startsWith(hex(bytesOf((writer) => writeHello(writer, decoded.hello)))));
    },
  },
  {
    name: "stream-frames",
    corpus: [Buffer.concat([3, 0, 40].map((length) => frameOf(new Uint8Array(length))))],
    check(input) {
      assert.deepEqual(framesOf([...input].map((byte) => Uint8Array.of(byte))), framesOf([input]));
    },
  },
];

function messagesTarget<M extends MessageTables>(name: string, messages: MessageSet<M>): FuzzTarget {
  const sent = fc.sample(anyMessageOf(messages), SAMPLES).map((message) =>
    bytesOf((writer) => {
      writer.u8(messages.numberOf(message));
      messages.write(writer, message);
    }),
  );
  return {
    name,
    corpus: sent.filter(({ length }) => length < LONGEST_SAMPLE),
    check: (input) =>
      readsOneWay(input, {
        read(reader) {
          const number = reader.u8();
          return messages.read(number, reader);
        },
        write(writer, message) {
          writer.u8(messages.numberOf(message));
          messages.write(writer, message);
        },
      }),
  };
}

/** Of a faulty peer, or of a disk that has changed them. */
function rowTarget(name: string, row: Kind<unknown>, again: (row: Uint8Array) => Uint8Array): FuzzTarget {
  const rows = fc.sample(arbitraryOf(row), SAMPLES).map((value) => bytesOf((writer) => row.write(writer, value)));
  return {
    name,
    corpus: rows.filter(({ length }) => length < LONGEST_SAMPLE),
    check(input) {
      try {
        assert.equal(hex(again(input)), hex(input));
      } catch (error) {
        if (!(error instanceof LayoutError)) throw error;
      }
    },
  };
}

/** There is one way to say a thing, and what follows it is left alone. */
function readsOneWay<T>(input: Uint8Array, { read, write }: Pick<Kind<T>, "read" | "write">): void {
  try {
    const value = read(new ByteReader(input));
    assert.ok(hex(input).startsWith(hex(bytesOf((writer) => write(writer, value)))));
  } catch (error) {
    if (!(error instanceof LayoutError)) throw error;
  }
}

function bytesOf(write: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter(LONGEST_SAMPLE);
  write(writer);
  return writer.written();
}

function frameOf(body: Uint8Array): Uint8Array {
  return encodeStreamFrame((writer) => writer.bytes(body));
}

/** What is found before the first fault. */
function framesOf(pieces: readonly Uint8Array[]): string[] {
  const splitter = new FrameSplitter(1000);
  const found: string[] = [];
  try {
    for (const piece of pieces) {
      splitter.push(piece);
      for (let body = splitter.take(); body !== undefined; body = splitter.take()) found.push(hex(body));
    }
  } catch (error) {
    if (!(error instanceof FrameTooLargeError)) throw error;
    found.push("too large");
  }
  return found;
}
