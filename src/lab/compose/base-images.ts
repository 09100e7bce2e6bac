/**
 * The images that the lab's are made from. Where they can't be had, stand-ins are made of Debian's packages and of the
 * Node and npm that this runs on.
 */
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Command, mustRun, runCommand } from "../../adapters/kernel/command.ts";
import { LabError } from "../lab-error.ts";
import type { Docker } from "./docker.ts";

const DEBIAN = "debian:bookworm-slim";
const NODE = "node:24-bookworm-slim";
const PULL_MS = 300_000;

interface Circumstances {
  readonly docker: Docker;
  /** A folder for files on the way. */
  readonly workDirectory: string;
  readonly progress: (line: string) => void;
  readonly signal: AbortSignal | undefined;
}

/** Has both images in the engine. @throws LabError where they can neither be fetched nor made. */
export async function ensureBaseImages(circumstances: Circumstances): Promise<void> {
  await ensure(DEBIAN, makeDebian, circumstances);
  await ensure(NODE, makeNode, circumstances);
}

type Make = (tag: string, folder: string, circumstances: Circumstances) => Promise<void>;

async function ensure(tag: string, make: Make, circumstances: Circumstances): Promise<void> {
  const { docker, workDirectory, progress, signal } = circumstances;
  if ((await docker.run(["image", "inspect", tag])).exitCode === 0) return;
  if ((await docker.run(["pull", "--quiet", tag], { timeoutMs: PULL_MS, signal })).exitCode === 0) return;
  progress(`no registry has ${tag} for us: making a stand-in`);
  mkdirSync(workDirectory, { recursive: true });
  const folder = mkdtempSync(join(workDirectory, "image-"));
  try {
    await make(tag, folder, circumstances);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function makeDebian(tag: string, folder: string, { docker, signal }: Circumstances): Promise<void> {
  const root = join(folder, "root");
  // In namespaces of its own: what it mounts goes with it, also when it is interrupted.
  const words = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "debootstrap", "--variant=minbase"];
  const mirror = await debianMirror();
  await must(["unshare", ...words, "bookworm", root, ...(mirror === undefined ? [] : [mirror])], signal);
  for (const path of ["var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/man"]) {
    rmSync(join(root, path), { recursive: true, force: true });
  }
  mkdirSync(join(root, "var/cache/apt/archives/partial"), { recursive: true });
  // dpkg waits for the disk after each file otherwise; an image is written once and for all.
  writeFileSync(
    join(root, "etc/dpkg/dpkg.cfg.d/image"),
    "force-unsafe-io\npath-exclude=/usr/share/doc/*\npath-exclude=/usr/share/man/*\n",
  );
  const archive = join(folder, "root.tar");
  await must(["tar", "--create", "--numeric-owner", "--directory", root, "--file", archive, "."], signal);
  await docker.do(["import", "--change", 'CMD ["bash"]', archive, tag], { signal });
}

async function makeNode(tag: string, folder: string, { docker, signal }: Circumstances): Promise<void> {
  copyFileSync(process.execPath, join(folder, "node"));
  const npm = await npmOfThisMachine();
  cpSync(npm.directory, join(folder, "npm"), { recursive: true, verbatimSymlinks: true });
  const lines = [
    `FROM ${DEBIAN}`,
    "COPY node /usr/local/bin/node",
    "COPY npm /usr/local/lib/node_modules/npm",
    "RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm",
    `ENV npm_config_registry=${npm.registry}`,
  ];
  if (npm.certificates !== undefined) {
    copyFileSync(npm.certificates, join(folder, "certificates.pem"));
    lines.push("COPY certificates.pem /etc/npm-certificates.pem", "ENV NODE_EXTRA_CA_CERTS=/etc/npm-certificates.pem");
  }
  writeFileSync(join(folder, "Dockerfile"), `${lines.join("\n")}\n`);
  await docker.do(["build", "--network=host", "--tag", tag, folder], { signal });
}

/** Where this machine has its Debian packages from. */
async function debianMirror(): Promise<string | undefined> {
  const { stdout } = await runCommand(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Codename: bookworm"], {
    env: process.env,
  });
  return stdout.split("\n").find((line) => /^https?:/.test(line));
}

/** npm, and how it reaches its packages from here. */
async function npmOfThisMachine() {
  const program = await must(["sh", "-c", "command -v npm"]);
  const setting = async (name: string) => (await must(["npm", "config", "get", name])).trim();
  return {
    directory: dirname(dirname(realpathSync(program.trim()))),
    registry: await setting("registry"),
    certificates: [process.env.NODE_EXTRA_CA_CERTS ?? "", await setting("cafile")].find((file) => existsSync(file)),
  };
}

async function must(command: Command, signal?: AbortSignal): Promise<string> {
  try {
    return await mustRun(command, { env: process.env, signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw new LabError((error as Error).message);
  }
}
