import { expect, test } from "vitest";
import { exabgpCommands } from "../../../../src/adapters/advertiser/exabgp/exabgp-commands.ts";

const FILES = { config: "/run/x/exabgp.conf", environment: "/run/x/exabgp.env" };

test("ExaBGP 4.2 is given the environment file as an option", () => {
  expect(exabgpCommands("exabgp", FILES, true)).toEqual({
    run: ["exabgp", "--env", "/run/x/exabgp.env", "/run/x/exabgp.conf"],
    validate: ["exabgp", "--env", "/run/x/exabgp.env", "/run/x/exabgp.conf", "--validate"],
    variables: {},
  });
});

test("ExaBGP 5 has sub-commands, and learns of the environment file by a variable", () => {
  expect(exabgpCommands("exabgp", FILES, false)).toEqual({
    run: ["exabgp", "server", "/run/x/exabgp.conf"],
    validate: ["exabgp", "validate", "/run/x/exabgp.conf"],
    variables: { EXABGP_ENVFILE: "/run/x/exabgp.env" },
  });
});
