import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { TOPOLOGY_NAMES, type TopologyName } from "./plan/topology.ts";

/** Where labs keep their files: one directory per lab, one per node in it. */
const LAB_ROOT = "/run/anyhome-lab";

/** Short, so that socket paths stay under the 108 bytes of `sockaddr_un`; also part of namespace names. */
const LAB_NAME = /^[a-z][a-z0-9-]{0,23}$/;

/** The entry point of `anyhome`, next to this file whether it is source or built. */
export const ANYHOME_MAIN = fileURLToPath(new URL(`../cli/main${extname(import.meta.filename)}`, import.meta.url));

/** Names of everything that belongs to one lab. */
export class LabPlace {
  readonly name: string;

  /** @throws RangeError for a name that can't be one of a lab. */
  constructor(name: string) {
    if (!LAB_NAME.test(name)) {
      throw new RangeError(
        `"${name}" can't name a lab: use up to 24 lower-case letters, digits and hyphens, a letter first`,
      );
    }
    this.name = name;
  }

  get directory(): string {
    return join(LAB_ROOT, this.name);
  }

  namespace(node: string): string {
    return `anyhome-${this.name}-${node}`;
  }

  /** One configuration serves all home agents. */
  get config(): string {
    return join(this.directory, "anyhome.yaml");
  }

  get secret(): string {
    return join(this.directory, "cluster.secret");
  }

  node(node: string): NodePlace {
    return new NodePlace(join(this.directory, node));
  }

  /** Claims the name. @throws an error with code EEXIST where a lab of this name is up. */
  create(topology: TopologyName = "lab"): void {
    // Routers, ExaBGP and containers run as users of their own, and read what is made here.
    process.umask(0o022);
    mkdirSync(LAB_ROOT, { recursive: true });
    mkdirSync(this.directory);
    writeFileSync(this.#topology, topology);
  }

  /** Of the lab that is up; `undefined` where none is. */
  topology(): TopologyName | undefined {
    const text = existsSync(this.#topology) ? readFileSync(this.#topology, "utf8") : "";
    return TOPOLOGY_NAMES.find((name) => name === text);
  }

  get #topology(): string {
    return join(this.directory, "topology");
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Files of one node. */
export class NodePlace {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** Commands that speak to this node's daemons; comes first in the path of `lab exec`. */
  get commands(): string {
    return join(this.directory, "bin");
  }

  /** Of a home agent: its store. */
  get dataDirectory(): string {
    return join(this.directory, "data");
  }

  get controlSocket(): string {
    return join(this.directory, "control.sock");
  }

  /** Shared with an ExaBGP that isn't the daemon's child. */
  get speakerDirectory(): string {
    return join(this.directory, "exabgp");
  }

  /** FRR's own: configuration, sockets, pid files. */
  get frr(): string {
    return join(this.directory, "frr");
  }

  get daemonLog(): string {
    return this.log("daemon");
  }

  log(process: string): string {
    return join(this.directory, `${process}.log`);
  }

  create(): void {
    mkdirSync(this.commands, { recursive: true });
  }

  addCommand(name: string, invocation: readonly string[]): void {
    const file = join(this.commands, name);
    writeFileSync(file, `#!/bin/sh\nexec ${invocation.map(shellWord).join(" ")} "$@"\n`);
    chmodSync(file, 0o755);
  }
}

/** Names of the labs that are up, or were when their machine's processes died. */
export function labNames(): string[] {
  try {
    return readdirSync(LAB_ROOT).filter((name) => LAB_NAME.test(name));
  } catch {
    return [];
  }
}

function shellWord(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
