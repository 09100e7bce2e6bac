/** Answer on vty sockets as ospfd and zebra 8.4.4 do, ospfd with a database of the test's choice. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface FakeRouter {
  readonly id: string;
  /** Designated router of the segment it is on; absent: it is cut off. */
  readonly segment?: string;
  readonly stubs?: readonly (readonly [address: string, mask: string, metric: number])[];
  readonly ageSeconds?: number;
}

/** A daemon of FRR that answers on its vty socket, or fails to. */
abstract class FakeVty {
  readonly directory = mkdtempSync(join(tmpdir(), "anyhome-vty-"));
  readonly path = join(this.directory, "vty");
  /** Reads, and says nothing. */
  hangs = false;
  /** Instead of an answer to anything. */
  answer: string | undefined;
  result = 0;
  #server: Server | undefined;
  readonly #connections = new Set<Socket>();

  protected abstract answerTo(command: string): string;

  start(): Promise<void> {
    const server = createServer((connection) => {
      this.#connections.add(connection);
      connection.on("close", () => this.#connections.delete(connection));
      connection.on("error", () => undefined);
      connection.on("data", (chunk) => {
        for (const command of chunk.toString().split("\0").slice(0, -1)) {
          if (!this.hangs)
            connection.write(`${this.answer ?? this.answerTo(command)}\0\0\0${String.fromCharCode(this.result)}`);
        }
      });
    });
    this.#server = server;
    return new Promise((resolve) => server.listen(this.path, () => resolve()));
  }

  async stop(): Promise<void> {
    for (const connection of this.#connections) connection.destroy();
    await new Promise<void>((resolve) => (this.#server ? this.#server.close(() => resolve()) : resolve()));
    this.#server = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export class FakeZebra extends FakeVty {
  clients = ["ospf"];

  protected override answerTo(command: string): string {
    if (command === "enable") return "";
    if (command !== "show zebra client summary") throw new Error(`not a command that is put: ${command}`);
    const columns = "00:01:20     00:00:00    00:00:57          8/1                   0/0";
    return ["Name      Connect Time    Last Read", ...this.clients.map((name) => `${name}          ${columns}`)].join(
      "\n",
    );
  }
}

export class FakeOspfd extends FakeVty {
  routerId = "10.1.0.11";
  neighbors: { address: string; state: string; unacknowledged?: number }[] = [
    { address: "10.1.0.1", state: "Full/DR" },
  ];
  costs: Record<string, number> = {};
  routers: FakeRouter[] = [];
  /** So much more is in the database of the area. */
  areaBytes = 0;

  protected override answerTo(command: string): string {
    return JSON.stringify(this.#answerTo(command));
  }

  #answerTo(command: string): unknown {
    const area = (lsas: unknown[]) => ({ areas: { "0.0.0.0": lsas } });
    switch (command) {
      case "show ip ospf neighbor json":
        return {
          neighbors: Object.fromEntries(
            this.neighbors.map(({ address, state, unacknowledged = 0 }) => [
              address,
              [{ nbrState: state, ifaceAddress: address, linkStateRetransmissionListCounter: unacknowledged }],
            ]),
          ),
        };
      case "show ip ospf interface json":
        return {
          interfaces: Object.fromEntries(Object.entries(this.costs).map(([name, cost]) => [name, { cost }])),
        };
      case "show ip ospf database router json":
        return {
          routerId: this.routerId,
          routerLinkStates: area(this.routers.map(routerLsa)),
          padding: "x".repeat(this.areaBytes),
        };
      case "show ip ospf database router 10.1.0.11 json":
        return {
          routerId: this.routerId,
          routerLinkStates: area(this.routers.filter(({ id }) => id === "10.1.0.11").map(routerLsa)),
        };
      case "show ip ospf database network json":
        return { networkLinkStates: area(this.#networkLsas()) };
      default:
        throw new Error(`not a command that is put: ${command}`);
    }
  }

  #networkLsas(): unknown[] {
    const segments = new Set(this.routers.flatMap(({ segment }) => segment ?? []));
    return [...segments].map((segment) => ({
      linkStateId: segment,
      advertisingRouter: segment,
      lsaAge: 1,
      attchedRouters: Object.fromEntries(
        this.routers.filter((it) => it.segment === segment).map(({ id }) => [id, { attachedRouterId: id }]),
      ),
    }));
  }
}

function routerLsa({ id, segment, stubs = [], ageSeconds = 1 }: FakeRouter): unknown {
  const links = [
    ...(segment === undefined
      ? []
      : [{ linkType: "a Transit Network", designatedRouterAddress: segment, tos0Metric: 10 }]),
    ...stubs.map(([networkAddress, networkMask, tos0Metric]) => ({
      linkType: "Stub Network",
      networkAddress,
      networkMask,
      tos0Metric,
    })),
  ];
  return {
    linkStateId: id,
    advertisingRouter: id,
    lsaAge: ageSeconds,
    routerLinks: Object.fromEntries(links.map((link, index) => [`link${index}`, link])),
  };
}
