import { Command } from "commander";
import { loadCommand } from "./mn-load.ts";
import { deregisterCommand, registerCommand } from "./mn-register.ts";
import { runCommand } from "./mn-run.ts";

/** `anyhome mn …`: mobile nodes to try a cluster with. */
export function mnCommand(): Command {
  return new Command("mn")
    .description("act as a mobile node: register, deregister, run, load")
    .addCommand(registerCommand())
    .addCommand(deregisterCommand())
    .addCommand(runCommand())
    .addCommand(loadCommand());
}
