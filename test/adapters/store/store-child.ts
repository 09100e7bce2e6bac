/** A process that holds a store and does with it what its parent says. `node store-child.ts DIRECTORY`, started by fork. */
import { openSqliteStore } from "../../../src/adapters/store/sqlite-store.ts";
import type { Store } from "../../../src/adapters/store/store.ts";
import { StoreError } from "../../../src/adapters/store/store-error.ts";
import type { ChildMessage, ParentMessage } from "./store-process.ts";

const [directory = ""] = process.argv.slice(2);
const say = (message: ChildMessage): void => {
  process.send?.(message);
};

let store: Store | undefined;
process.on("message", (message: ParentMessage) => {
  if (message.type === "append") store?.append(message.changes);
  else void store?.close().then(() => process.disconnect());
});

try {
  store = await openSqliteStore({
    directory,
    cluster: "alpha",
    node: "ha1",
    listener: {
      durable: (position) => say({ type: "durable", position }),
      failed: (_, reason) => say({ type: "failed", reason }),
      recovered: () => undefined,
    },
  });
  say({ type: "opened", bootCount: store.bootCount, rows: [...store.load()] });
} catch (error) {
  if (!(error instanceof StoreError)) throw error;
  say({ type: "refused", code: error.code, message: error.message });
  process.disconnect();
}
