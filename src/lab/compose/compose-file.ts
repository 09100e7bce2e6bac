/**
 * A topology as a docker-compose file: a container per node, a network per segment. Nothing is used that either of
 * docker-compose 1.29 and `docker compose` v2 lacks.
 */
import { stringify } from "yaml";
import { directedBroadcast, formatIpv4, type Ipv4Address, parsePrefix } from "../../core/wire/ipv4.ts";
import { type Network, nodeAddress, nodesOf, type Topology, type TopologyNode } from "../plan/topology.ts";

/** Of the user `anyhome` in its image. */
const ANYHOME_UID = 900;
/** Of the user `speaker` in its image. */
const SPEAKER_UID = 901;
const CHECKOUT = "../..";

export const CLUSTER_SECRET = "cluster";

export function mobileKeySecret(spi: number): string {
  return `mobiles-${spi}`;
}

/** Where things are inside of containers. */
export const CONTAINER_PATHS = {
  config: "/etc/anyhome/anyhome.yaml",
  /** Copies of the secrets that `anyhome` can read. */
  keys: "/run/keys",
  runtime: "/run/anyhome",
  controlSocket: "/run/anyhome/control.sock",
  /** Shared by the daemon and its ExaBGP. */
  speaker: "/run/anyhome-exabgp",
  store: "/var/lib/anyhome",
  router: "/etc/lab-router",
} as const;

/** Text of the compose file. It stands in a directory of its own beside the images'. */
export function composeFile(topology: Topology): string {
  const homeAgents = nodesOf(topology, "home-agent");
  const content = {
    services: Object.fromEntries([
      ...homeAgents.flatMap((node) => [
        [node.name, homeAgent(topology, node)],
        [sidecarOf(node.name), sidecar(node)],
      ]),
      ...nodesOf(topology, "router").map((node) => [node.name, router(node)]),
      ...nodesOf(topology, "foreign-agent").map((node) => [node.name, foreignAgent(topology, node)]),
      ...(["correspondent", "mobile"] as const)
        .flatMap((role) => nodesOf(topology, role))
        .map((node) => [node.name, host(topology, node)]),
      ["load", loadGenerator(topology)],
    ]),
    networks: Object.fromEntries(topology.networks.map((network) => [network.name, segment(network)])),
    volumes: Object.fromEntries(
      homeAgents.flatMap(({ name }) => [
        [storeVolume(name), {}],
        [sharedVolume(name), IN_MEMORY],
      ]),
    ),
    secrets: Object.fromEntries(
      secretNames(topology).map((name) => [name, { file: `\${ANYHOME_LAB_SECRETS:-./secrets}/${name}` }]),
    ),
  };
  return `${NOTICE}${stringify(content, { lineWidth: 0, aliasDuplicateObjects: false })}`;
}

const NOTICE = `# Made from src/lab, as all files beside it; don't edit. To write them anew:
# npm test -- test/lab/compose-files.test.ts -u

`;

/** What services are made of; each has its Dockerfile in `compose/images/`. */
export const LAB_IMAGES = ["anyhome", "exabgp", "router"] as const;
type ImageName = (typeof LAB_IMAGES)[number];

export function imageName(name: ImageName, version: string): string {
  return `anyhome-lab/${name}:${version}`;
}

/** Seen from the checkout, which is what images are built from. */
export function dockerfile(name: ImageName): string {
  return `compose/images/${name}/Dockerfile`;
}

function image(name: ImageName) {
  return {
    image: imageName(name, `\${ANYHOME_LAB_VERSION:-current}`),
    build: { context: CHECKOUT, dockerfile: dockerfile(name) },
  };
}

/** What every container is denied, and the few things that it is allowed. */
function confined(capabilities: readonly string[], tmpfs: readonly string[]) {
  return {
    read_only: true,
    tmpfs,
    cap_drop: ["ALL"],
    cap_add: capabilities,
    security_opt: ["no-new-privileges:true"],
  };
}

/** To set the route, to hand keys over to `anyhome`, and to become that user. */
const TO_ENTER = ["NET_ADMIN", "CHOWN", "DAC_READ_SEARCH", "SETGID", "SETUID"];

function homeAgent(topology: Topology, node: TopologyNode) {
  // For the virtual address on the loopback interface, for its port 434, and to relay by MAC address.
  const capabilities = ["NET_ADMIN", "NET_BIND_SERVICE", ...(topology.linkedPairs ? ["NET_RAW"] : [])];
  return {
    ...image("anyhome"),
    hostname: node.name,
    command: ["anyhome", "run"],
    environment: {
      LAB_GATEWAY: node.gateway,
      LAB_CAPABILITIES: ["-all", ...capabilities.map((name) => `+${name.toLowerCase()}`)].join(","),
      ANYHOME_CONFIG: CONTAINER_PATHS.config,
      ANYHOME_NODE: node.name,
      ANYHOME_SOCKET: CONTAINER_PATHS.controlSocket,
    },
    ...confined(
      [...new Set([...TO_ENTER, ...capabilities])],
      ["/tmp", CONTAINER_PATHS.keys, `${CONTAINER_PATHS.runtime}:mode=0750,uid=${ANYHOME_UID},gid=${ANYHOME_UID}`],
    ),
    ...attached(node),
    volumes: [
      `./anyhome.yaml:${CONTAINER_PATHS.config}:ro`,
      `${storeVolume(node.name)}:${CONTAINER_PATHS.store}`,
      `${sharedVolume(node.name)}:${CONTAINER_PATHS.speaker}`,
    ],
    secrets: secretNames(topology),
    healthcheck: healthcheck(["ready"]),
    stop_grace_period: "15s",
  };
}

/** The service with the ExaBGP of a home agent. */
export function sidecarOf(homeAgent: string): string {
  return `${homeAgent}-exabgp`;
}

/** In the network of its home agent, without any privilege: it only dials. */
function sidecar({ name }: TopologyNode) {
  return {
    ...image("exabgp"),
    network_mode: `service:${name}`,
    depends_on: [name],
    user: `${SPEAKER_UID}:${ANYHOME_UID}`,
    ...confined([], ["/tmp"]),
    volumes: [`${sharedVolume(name)}:${CONTAINER_PATHS.speaker}`],
    healthcheck: healthcheck(["speaking"]),
    // What the daemon does itself where ExaBGP is its child.
    restart: "unless-stopped",
    stop_grace_period: "5s",
  };
}

function router(node: TopologyNode) {
  return {
    ...image("router"),
    hostname: node.name,
    // FRR wants SYS_ADMIN, to look into other network namespaces; here there are none.
    ...confined(
      ["NET_ADMIN", "NET_RAW", "NET_BIND_SERVICE", "SYS_ADMIN", "CHOWN", "SETGID", "SETUID"],
      ["/tmp", "/run", "/var/tmp"],
    ),
    // Ports count when ECMP picks a home agent: mobiles behind one foreign agent reach several.
    sysctls: {
      "net.ipv4.ip_forward": "1",
      "net.ipv4.fib_multipath_hash_policy": "1",
      "net.ipv4.conf.all.rp_filter": "0",
    },
    ...attached(node),
    volumes: [`./${node.name}:${CONTAINER_PATHS.router}:ro`],
    healthcheck: healthcheck(["vtysh", "-d", "bgpd", "-c", "show bgp ipv4 unicast summary"]),
    stop_grace_period: "5s",
  };
}

function foreignAgent(topology: Topology, node: TopologyNode) {
  return {
    ...image("anyhome"),
    hostname: node.name,
    command: ["anyhome", "fa", "run"],
    environment: {
      LAB_GATEWAY: node.gateway,
      ANYHOME_CARE_OF_ADDRESS: nodeAddress(node),
      ...mobileEnvironment(topology),
    },
    ...confined(TO_ENTER, ["/tmp", CONTAINER_PATHS.keys]),
    ...attached(node),
    secrets: mobileKeys(topology),
    healthcheck: healthcheck(["ip", "route", "get", topology.virtualAddress]),
    stop_grace_period: "5s",
  };
}

function host(topology: Topology, node: TopologyNode) {
  return {
    ...image("anyhome"),
    hostname: node.name,
    command: ["sleep", "infinity"],
    environment: { LAB_GATEWAY: node.gateway },
    ...confined(TO_ENTER, ["/tmp", CONTAINER_PATHS.keys]),
    ...attached(node),
    healthcheck: healthcheck(["ip", "route", "get", topology.virtualAddress]),
    stop_grace_period: "1s",
  };
}

/** Speaks for mobiles behind the first foreign agent. Not started by `up`, unless asked for by name. */
function loadGenerator(topology: Topology) {
  const [site] = nodesOf(topology, "foreign-agent");
  return {
    ...image("anyhome"),
    profiles: ["load"],
    network_mode: `service:${site?.name}`,
    command: [
      "anyhome",
      "mn",
      "load",
      "--mobiles",
      "1000",
      "--first-home-address",
      "10.64.1.0",
      "--rate",
      "200",
    ].concat(["--duration", "60"]),
    environment: mobileEnvironment(topology),
    ...confined(
      TO_ENTER.filter((name) => name !== "NET_ADMIN"),
      ["/tmp", CONTAINER_PATHS.keys],
    ),
    secrets: mobileKeys(topology),
  };
}

/** What makes plain `anyhome mn …` a mobile of the lab. */
function mobileEnvironment({ virtualAddress, associations: [{ spi }] }: Topology) {
  return {
    ANYHOME_HOME_AGENT: virtualAddress,
    ANYHOME_MN_SPI: String(spi),
    ANYHOME_MN_KEY_FILE: `${CONTAINER_PATHS.keys}/${mobileKeySecret(spi)}`,
  };
}

function attached(node: TopologyNode) {
  return {
    networks: Object.fromEntries(node.interfaces.map(({ network, address }) => [network, { ipv4_address: address }])),
  };
}

/** A bridge on which the host has no address: containers reach each other and nothing else. */
function segment({ prefix }: Network) {
  return {
    driver: "bridge",
    driver_opts: {
      "com.docker.network.bridge.inhibit_ipv4": "true",
      "com.docker.network.bridge.enable_ip_masquerade": "false",
    },
    ipam: { config: [{ subnet: prefix, gateway: lastAddress(prefix) }] },
  };
}

/** Docker reserves an address of every network for a gateway; nodes of the lab count from the other end. */
function lastAddress(prefix: string): string {
  const parsed = parsePrefix(prefix);
  if (parsed === undefined) throw new TypeError(`${prefix} is no prefix`);
  return formatIpv4((directedBroadcast(parsed) - 1) as Ipv4Address);
}

/** A few small files; it is as the user `anyhome` wants it from the start. */
const IN_MEMORY = {
  driver: "local",
  driver_opts: { type: "tmpfs", device: "tmpfs", o: `size=16m,mode=0750,uid=${ANYHOME_UID},gid=${ANYHOME_UID}` },
};

function storeVolume(homeAgent: string): string {
  return `${homeAgent}-store`;
}

function sharedVolume(homeAgent: string): string {
  return `${homeAgent}-speaker`;
}

function secretNames(topology: Topology): string[] {
  return [CLUSTER_SECRET, ...mobileKeys(topology)];
}

function mobileKeys({ associations }: Topology): string[] {
  return associations.map(({ spi }) => mobileKeySecret(spi));
}

function healthcheck(command: readonly string[]) {
  return { test: ["CMD", ...command], interval: "10s", timeout: "10s", retries: 3, start_period: "30s" };
}
