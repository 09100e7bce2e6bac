import { Command, Option } from "commander";
import {
  type BindingDetailView,
  type BindingView,
  bindingDetailView,
  bindingPage,
  bindingState,
  deletionView,
  role,
} from "../adapters/api/bindings.ts";
import { fields, tableWriter } from "../text/columns.ts";
import { formatSeconds } from "../text/units.ts";
import { ask, socketOption } from "./control-client.ts";
import { integerBetween } from "./option-values.ts";
import { type OutputFormat, outputOption, print, printList } from "./output.ts";
import { pages } from "./pages.ts";
import { timeLeft } from "./time-left.ts";
import { describeTraffic } from "./traffic.ts";

interface Common {
  readonly socket: string;
  readonly output: OutputFormat;
}

interface Filter {
  readonly mobile?: string;
  readonly owner?: string;
  readonly role?: string;
  readonly state?: string;
  readonly limit?: number;
}

export function bindingsCommand(): Command {
  const bindings = new Command("bindings").description("list, show and delete mobility bindings");
  bindings
    .command("list")
    .description("the bindings this home agent owns or is the ingress of")
    .option("--mobile <name>", "only the mobile with this home address or NAI")
    .option("--owner <member>", "only those that this member owns")
    .addOption(new Option("--role <role>", "only those this home agent has this role for").choices(role.options))
    .addOption(new Option("--state <state>", "only those in this state").choices(bindingState.options))
    .option("--limit <count>", "at most this many; all if not given", integerBetween(1, 1_000_000_000))
    .addOption(outputOption())
    .addOption(socketOption())
    .addHelpText(
      "after",
      "\nExamples:\n  anyhome bindings list --role owner\n  anyhome bindings list --state temporary -o json",
    )
    .action(list);
  bindings
    .command("show")
    .description("one binding with all its care-of addresses")
    .argument("<mobile>", "home address or NAI")
    .addOption(outputOption())
    .addOption(socketOption())
    .addHelpText(
      "after",
      "\nExamples:\n  anyhome bindings show 10.64.1.5\n  anyhome bindings show alice@example.com -o yaml",
    )
    .action(async (mobile: string, { socket, output }: Common) => {
      await print(await ask(socket, "GET", pathOf(mobile), bindingDetailView), output, describe);
    });
  bindings
    .command("delete")
    .description(
      "end a binding this home agent owns; the mobile is not told, and may register by a later Identification than its last",
    )
    .argument("<mobile>", "home address or NAI")
    .option(
      "--forget-replay",
      "let the mobile in again whatever Identification it had used, on all members; also where its binding is over",
      false,
    )
    .addOption(outputOption())
    .addOption(socketOption())
    .addHelpText(
      "after",
      "\nExamples:\n  anyhome bindings delete 10.64.1.5\n  anyhome bindings delete alice@example.com --forget-replay",
    )
    .action(async (mobile: string, { socket, output, forgetReplay }: Common & { readonly forgetReplay: boolean }) => {
      const path = forgetReplay ? `${pathOf(mobile)}?forget-replay=true` : pathOf(mobile);
      const deleted = await ask(socket, "DELETE", path, deletionView);
      await print(deleted, output, ({ homeAddress, nai }) => {
        const name = nai ?? homeAddress;
        return forgetReplay ? `deleted the binding and the replay state of ${name}` : `deleted the binding of ${name}`;
      });
    });
  return bindings;
}

function pathOf(mobile: string): string {
  return `/v1/bindings/${encodeURIComponent(mobile)}`;
}

async function list({
  socket,
  output,
  limit = Number.POSITIVE_INFINITY,
  ...conditions
}: Common & Filter): Promise<void> {
  const head = ["home address", "nai", "care-of address", "foreign agent", "owner", "roles", "state", "expires in"];
  const bindings = pages(
    limit,
    (page) =>
      ask(socket, "GET", `/v1/bindings?${new URLSearchParams([...Object.entries(conditions), ...page])}`, bindingPage),
    (page) => page.bindings,
  );
  await printList(bindings, output, tableWriter(head, row));
}

function row(binding: BindingView): string[] {
  return [
    binding.homeAddress,
    binding.nai ?? "-",
    binding.careOfAddress ?? "-",
    binding.foreignAgent,
    binding.owner,
    binding.roles.join(","),
    binding.state,
    timeLeft(binding.expiresAt),
  ];
}

function describe(binding: BindingDetailView): string {
  return fields([
    ["Home address", binding.homeAddress],
    ["NAI", binding.nai ?? undefined],
    ["Care-of address", binding.careOfAddress ?? undefined],
    ["Foreign agent", binding.foreignAgent],
    ["Owner", `${binding.owner} (${binding.ownerAddress})`],
    ["Roles here", binding.roles.join(", ")],
    ["State", binding.state],
    ["Lifetime", binding.lifetime === null ? undefined : lifetime(binding.lifetime)],
    ["Expires", binding.expiresAt === null ? "never" : `${binding.expiresAt}, in ${timeLeft(binding.expiresAt)}`],
    ["Identification", binding.identification],
    ["Generation", binding.generation === null ? undefined : String(binding.generation)],
    ["To the mobile", binding.traffic === null ? undefined : describeTraffic(binding.traffic.toMobile)],
    ["From the mobile", binding.traffic === null ? undefined : describeTraffic(binding.traffic.fromMobile)],
    ...binding.careOfAddresses.map(
      ({ careOfAddress, foreignAgent, expiresAt, flags }, index) =>
        [
          index === 0 ? "Care-of addresses" : "",
          `${careOfAddress} by ${foreignAgent}, flags ${flags.join("") || "none"}, expires in ${timeLeft(expiresAt)}`,
        ] as const,
    ),
  ]);
}

/** The value of a lifetime field that never ends, RFC 5944 3.3. */
const INFINITE = 65_535;

function lifetime(seconds: number): string {
  return seconds === INFINITE ? "infinite" : formatSeconds(seconds);
}
