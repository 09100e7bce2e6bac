import { Command } from "commander";
import { type ReadableRow, readRows } from "../adapters/store/read-rows.ts";
import { StoreError } from "../adapters/store/store-error.ts";
import { table } from "../text/columns.ts";
import { CliError } from "./exit.ts";
import { type OutputFormat, outputOption, printList } from "./output.ts";

const PAGE_ROWS = 1000;

export function storeCommand(): Command {
  const store = new Command("store").description("look into the store of a home agent");
  store
    .command("show")
    .description("print all rows of a store; reads its files and changes none, whether or not its home agent runs")
    .argument("<directory>", "the home agent's data-directory")
    .addOption(outputOption())
    .addHelpText(
      "after",
      "\nExample:\n  anyhome store show /var/lib/anyhome -o json | jq '.[] | select(.key == \"ip:10.64.1.1\")'",
    )
    .action(async (directory: string, { output }: { output: OutputFormat }) => {
      try {
        await printList(pagesOf(readRows(directory)), output, describe);
      } catch (error) {
        if (error instanceof StoreError) throw new CliError(error.message);
        throw error;
      }
    });
  return store;
}

async function* pagesOf(rows: Iterable<ReadableRow>): AsyncGenerator<readonly ReadableRow[]> {
  let page: ReadableRow[] = [];
  for (const row of rows) {
    page.push(row);
    if (page.length < PAGE_ROWS) continue;
    yield page;
    page = [];
  }
  yield page;
}

function describe(page: readonly ReadableRow[]): string {
  return table(
    ["table", "key", "row"],
    page.map(({ table: name, key, row }) => [name, key, JSON.stringify(row)]),
  );
}
