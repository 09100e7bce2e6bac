/** Options that make a security association: an SPI and a key, the key in one of three forms. */
import { type Command, Option } from "commander";
import { type DecodedKey, decodeHexKey, decodeTextKey, readKeyFile } from "../config/secrets.ts";
import type { AuthenticationAlgorithm, SecurityAssociation } from "../core/auth/association.ts";
import { CliError, ExitCode } from "./exit.ts";
import { integerBetween } from "./option-values.ts";

/** RFC 5944 3.5.2: 0-255 are reserved. */
const MINIMUM_SPI = 256;
const MAXIMUM_SPI = 0xffffffff;

interface AssociationOptions {
  /** Prefix of the names: `mn-` for `--mn-spi` and `--mn-key`. Empty for the main association of a command. */
  readonly prefix: "" | "mn-" | "fa-";
  /** With whom the key is shared, for the help. */
  readonly sharedWith: string;
  readonly environment?: { readonly spi: string; readonly key: string };
}

/** Adds `--spi`, `--key`, `--key-hex`, `--key-file` and `--algorithm`, all behind the prefix. */
export function addAssociationOptions(command: Command, options: AssociationOptions): Command {
  const { prefix, sharedWith, environment } = options;
  const spi = new Option(`--${prefix}spi <number>`, `which key is shared with ${sharedWith}`)
    .argParser(integerBetween(MINIMUM_SPI, MAXIMUM_SPI))
    .default(MINIMUM_SPI);
  const key = new Option(`--${prefix}key <text>`, `the key shared with ${sharedWith}`);
  const keyFile = new Option(`--${prefix}key-file <file>`, "a file with the key: its text, or hex: and digits");
  if (environment !== undefined) {
    spi.env(environment.spi);
    key.env(environment.key);
    keyFile.env(`${environment.key}_FILE`);
  }
  return command
    .addOption(spi)
    .addOption(key)
    .option(`--${prefix}key-hex <digits>`, "the key, in hexadecimal digits")
    .addOption(keyFile)
    .addOption(
      new Option(`--${prefix}algorithm <name>`, "how messages are signed with it")
        .choices(["hmac-md5", "keyed-md5"] satisfies AuthenticationAlgorithm[])
        .default("hmac-md5" satisfies AuthenticationAlgorithm),
    );
}

/** The association that the options make; `undefined` if no key is given. Throws a CliError if the key can't be read. */
export function associationOf(command: Command, prefix: AssociationOptions["prefix"]): SecurityAssociation | undefined {
  const key = readKey(command, prefix);
  if (key === undefined) return undefined;
  const value = (name: string) => command.getOptionValue(optionName(prefix, name));
  return { spi: value("spi"), algorithm: value("algorithm"), key };
}

/** Like `associationOf`, where an association is required. */
export function requiredAssociation(
  command: Command,
  prefix: AssociationOptions["prefix"],
  hint: string,
): SecurityAssociation {
  const association = associationOf(command, prefix);
  if (association === undefined) throw new CliError(`a key is needed: --${prefix}key, ${hint}`, ExitCode.usage);
  return association;
}

function readKey(command: Command, prefix: AssociationOptions["prefix"]): Uint8Array | undefined {
  const given = ["key", "key-hex", "key-file"].flatMap((form) => {
    const name = optionName(prefix, form);
    const value: unknown = command.getOptionValue(name);
    return typeof value === "string" ? [{ form, value, source: command.getOptionValueSource(name) }] : [];
  });
  // The command line takes precedence over the environment.
  const typed = given.filter(({ source }) => source === "cli");
  const [chosen, ...others] = typed.length > 0 ? typed : given;
  if (chosen === undefined) return undefined;
  if (others.length > 0) {
    throw new CliError(`one of --${prefix}key, --${prefix}key-hex and --${prefix}key-file is enough`, ExitCode.usage);
  }
  const decoded = decodeKey(prefix, chosen.form, chosen.value);
  if (!decoded.ok) throw new CliError(`--${prefix}${chosen.form}: the key ${decoded.problem}`, ExitCode.usage);
  return decoded.key;
}

function decodeKey(prefix: AssociationOptions["prefix"], form: string, value: string): DecodedKey {
  if (form === "key") return decodeTextKey(value, `a key that has to be so is given by --${prefix}key-hex`);
  if (form === "key-hex") return decodeHexKey(value);
  try {
    return readKeyFile(value);
  } catch (error) {
    throw new CliError(`the key file can't be read: ${error instanceof Error ? error.message : error}`, ExitCode.usage);
  }
}

/** As commander names it: `--mn-key-hex` is `mnKeyHex`. */
function optionName(prefix: string, name: string): string {
  return `${prefix}${name}`.replaceAll(/-(.)/g, (_match, letter: string) => letter.toUpperCase());
}
