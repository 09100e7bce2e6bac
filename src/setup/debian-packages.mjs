import { existsSync, rmSync, writeFileSync } from "node:fs";
import { lastLines, run } from "./run.mjs";

/** What the lab in network namespaces runs. */
const LAB_PACKAGES = ["exabgp", "frr", "iproute2", "procps", "util-linux"];

/** What compiles the data plane's programs, and shows that packets go through them. */
const DATA_PLANE_PACKAGES = ["clang", "iputils-ping", "libbpf-dev"];

/**
 * What tests look at the wire with, besides; another router, which reads what the pages tell operators to configure; and what
 * shifts clocks.
 */
const TEST_PACKAGES = ["bird2", "libfaketime", "python3-scapy", "tshark"];

/** What the lab in containers runs, and where no image registry is reached, makes images with. */
const CONTAINER_PACKAGES = ["debootstrap", "docker-compose", "docker.io"];

/** Services that packages bring and the lab does not want: it starts its own. */
const SERVICES = {
  bird2: ["bird.service"],
  exabgp: ["exabgp.service"],
  frr: ["frr.service"],
  "docker.io": ["docker.service", "docker.socket", "containerd.service"],
};

const POLICY_FILE = "/usr/sbin/policy-rc.d";

/**
 * Debian packages for a purpose, installed where that is possible.
 *
 * @param {"demo" | "test"} purpose
 * @param {(line: string) => void} say
 * @returns {Promise<string | undefined>} why they are not there, in one line; `undefined` when they are
 */
export async function ensureDebianPackages(purpose, say) {
  if (process.platform !== "linux") return `network namespaces need Linux, and this is ${process.platform}`;
  const wanted = [
    ...LAB_PACKAGES,
    ...DATA_PLANE_PACKAGES,
    ...(purpose === "test" ? [...CONTAINER_PACKAGES, ...TEST_PACKAGES] : []),
  ];
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query has fields of that form
  const query = await run("dpkg-query", ["--show", "--showformat=${Package} ${db:Status-Status}\n", ...wanted]);
  const missing = notInstalled(wanted, query.output);
  if (missing.length === 0) return undefined;
  const names = missing.join(" ");
  if (!existsSync("/usr/bin/apt-get")) return `this is no Debian; the lab needs what Debian calls ${names}`;
  if (process.getuid?.() !== 0) return `only root can install Debian packages; missing: ${names}`;
  say(`installing Debian packages: ${names} …`);
  const output = await withoutStartingServices(async () => {
    const first = await aptInstall(missing);
    if (first.ok) return undefined;
    say("updating the list of Debian packages …");
    await apt(["update"]);
    const second = await aptInstall(missing);
    return second.ok ? undefined : second.output;
  });
  if (output !== undefined) {
    say(lastLines(output, 15));
    return `apt-get could not install ${names}`;
  }
  for (const [name, services] of Object.entries(SERVICES)) {
    if (missing.includes(name)) await keepFromStartingAtBoot(services);
  }
  return undefined;
}

/**
 * @param {readonly string[]} wanted
 * @param {string} listing lines of `PACKAGE STATUS`, as dpkg-query prints them; other lines are of no interest
 */
export function notInstalled(wanted, listing) {
  const installed = new Set(
    listing
      .split("\n")
      .map((line) => line.split(" "))
      .filter(([, status]) => status === "installed")
      .map(([name]) => name),
  );
  return wanted.filter((name) => !installed.has(name));
}

/** @param {readonly string[]} packages */
function aptInstall(packages) {
  return apt(["install", "--yes", "--no-install-recommends", ...packages]);
}

/** @param {readonly string[]} args */
function apt(args) {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  return run("apt-get", ["-o", "DPkg::Lock::Timeout=120", ...args], { env });
}

/**
 * Debian starts the services of what it installs unless a policy file forbids it.
 *
 * @template T
 * @param {() => Promise<T>} install
 * @returns {Promise<T>}
 */
async function withoutStartingServices(install) {
  if (existsSync(POLICY_FILE)) return install();
  const remove = () => rmSync(POLICY_FILE, { force: true });
  const interrupted = () => {
    remove();
    process.exit(130);
  };
  writeFileSync(POLICY_FILE, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  process.once("SIGINT", interrupted).once("SIGTERM", interrupted);
  try {
    return await install();
  } finally {
    process.off("SIGINT", interrupted).off("SIGTERM", interrupted);
    remove();
  }
}

/** @param {readonly string[]} services */
async function keepFromStartingAtBoot(services) {
  // Where systemd manages nothing (a container), this says so and changes nothing: nothing would start it there either.
  await run("systemctl", ["disable", ...services]);
}
