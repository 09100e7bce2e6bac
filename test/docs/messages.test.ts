/** Holds docs/messages.md to the tables that it is made from. */
import { expect, test } from "vitest";
import { BINDING_FIELDS } from "../../src/core/bindings/binding.ts";
import { LOCATION_FIELDS } from "../../src/core/bindings/location.ts";
import { DATAGRAMS } from "../../src/core/protocol/datagrams.ts";
import { FRAME_HEADER_FIELDS } from "../../src/core/protocol/frame.ts";
import { HELLO_FIELDS } from "../../src/core/protocol/stream-hello.ts";
import { STREAM_MESSAGES } from "../../src/core/protocol/stream-messages.ts";
import { messageSections, tableSection } from "./layout-page.ts";

const header = `# Messages and rows, byte by byte

What members say to each other, and what they write down: [protocol.md](protocol.md) and [replication.md](replication.md) say what
they make of it.

Made from the tables in \`src/core/protocol\` and \`src/core/bindings\` by \`npm test -- test/docs -u\`; encoder, decoder, types, random tests and fuzzing
follow from the same tables.

## Fields

Fields follow each other without padding and without names; numbers are in network byte order. There is one way to write each
value, and a value of a field that isn't one of those below, or is beyond its end, is refused with all of the message.

| kind | is |
| --- | --- |
| N bits | an integer; of 64 bits up to 2^53, but for incarnations. Signed ones are in two's complement |
| gauge | the same, for what is measured: rounded, and as large as the field at most |
| time | 64 bits: epoch milliseconds; all ones: for ever |
| flag | 8 bits: 0 or 1 |
| 0 \`word\`, ... | 8 bits: the number of a word |
| address, endpoint | 32 bits; an address and 16 bits of a port |
| text, bytes, list | how many bytes or elements there are, then these. Texts are UTF-8 |
| member | a member's id: a text that is not empty |
| hexadecimal | 8 bits of length and the bytes; shown as hexadecimal digits |
| mobile | the key of a mobile's row. 16 bits of length and the NAI; where that length is 0, the home address |
| optional | a flag, and the value if the flag is 1 |
`;

test("docs/messages.md has every message, as its table says", async () => {
  const parts = [
    header.trimEnd(),
    "## On UDP\n\nOne frame in each datagram: this header, the fields of a message, and 16 bytes of authenticator, the first of " +
      "HMAC-SHA-256 over all\nbefore it (RFC 4868 2.3). What follows the fields that a version knows is left alone.",
    tableSection("Frame header", "Before each message.", FRAME_HEADER_FIELDS),
    messageSections(DATAGRAMS),
    "## On streams\n\nEach frame is 32 bits of length, at most 4 MiB, and a body: at first a hello in either direction, then messages. " +
      "A body without\nbytes says that the sender is still there. The body of a message is 8 bits with its number and its fields, and " +
      "nothing more.",
    tableSection(
      "Hello",
      "The first frame of each side, of at most 1024 bytes. Later versions may append fields.",
      HELLO_FIELDS,
    ),
    messageSections(STREAM_MESSAGES),
    "## Rows\n\nWhat stands in the [store](store.md); binding rows go to other members as they are.",
    tableSection("Binding row", "A mobile's binding, on its owner and its backups.", BINDING_FIELDS),
    tableSection("Location row", "Where a mobile is that another member owns.", LOCATION_FIELDS),
  ];
  await expect(`${parts.join("\n\n")}\n`).toMatchFileSnapshot("../../docs/messages.md");
});
