import { readFileSync } from "node:fs";
import { join } from "node:path";
import { lastLines, run } from "./run.mjs";

/** The oldest Node that can start what brings the right one. */
export const OLDEST_NODE = 20;

/**
 * The npm packages of the lock file, and among them the Node that everything else runs on.
 *
 * @param {string} root the checkout
 * @param {(line: string) => void} say
 * @throws {Error} when they cannot be had; the message says what to do
 */
export async function ensureNpmPackages(root, say) {
  const locked = readPackages(join(root, "package-lock.json"));
  if (!locked) throw new Error(`package-lock.json is missing in ${root}`);
  const stale = whatDiffers(locked, readPackages(join(root, "node_modules/.package-lock.json")));
  if (stale) {
    say(`installing ${Object.keys(locked).length} npm packages (${stale}) …`);
    await npm(root, ["ci"]);
  }
  const wanted = majorOf(locked["node_modules/node"]?.version ?? "");
  if ((await nodeMajor(root)) === wanted) return;
  // Install scripts may be switched off on this machine; this one is what brings the Node binary.
  say(`fetching Node ${wanted} …`);
  await npm(root, ["rebuild", "node", "--ignore-scripts=false"]);
  if ((await nodeMajor(root)) !== wanted) {
    throw new Error(
      `the npm package "node" did not bring Node ${wanted}; install Node ${wanted} or newer by hand, then try again`,
    );
  }
}

/**
 * @typedef {Record<string, { version?: string, optional?: boolean, peer?: boolean }>} LockedPackages by path in the tree
 *
 * @param {LockedPackages} locked what package-lock.json asks for
 * @param {LockedPackages | undefined} installed what npm noted in node_modules
 * @returns {string | undefined} why it must be installed again; `undefined` when all is there
 */
export function whatDiffers(locked, installed) {
  if (!installed) return "none are there yet";
  for (const [path, { version, optional }] of Object.entries(locked)) {
    if (path === "") continue;
    const found = installed[path];
    // Optional ones are for other platforms.
    if (!found && optional) continue;
    const name = path.replace(/^.*node_modules\//, "");
    if (!found) return `${name} is missing`;
    if (found.version !== version) return `${name} is ${found.version}, not ${version}`;
  }
  return undefined;
}

/** @param {string} version such as `24.1.0` or `v24.1.0` */
export function majorOf(version) {
  return Number.parseInt(version.replace(/^v/, ""), 10);
}

/**
 * @param {string} file
 * @returns {LockedPackages | undefined}
 */
function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8")).packages;
  } catch {
    return undefined;
  }
}

/** @param {string} root */
async function nodeMajor(root) {
  const { ok, output } = await run(join(root, "node_modules/.bin/node"), ["--version"]);
  return ok ? majorOf(output) : undefined;
}

/**
 * @param {string} root
 * @param {string[]} args
 */
async function npm(root, args) {
  // `error` leaves out the warnings that packages for Node 24 give while an older npm installs it.
  const { ok, output } = await run("npm", [...args, "--loglevel=error", "--no-audit", "--no-fund"], { cwd: root });
  if (!ok) throw new Error(`npm ${args[0]} failed:\n${lastLines(output, 20)}`);
}
