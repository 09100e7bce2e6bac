import { chmodSync, existsSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ControlError } from "../../../src/adapters/api/requests.ts";
import { type ControlApi, serveControlApi } from "../../../src/adapters/api/server.ts";
import type { EventFields } from "../../../src/adapters/telemetry/log.ts";
import {
  alice,
  counters,
  FakeService,
  forwarding,
  forwardingCounters,
  peers,
  pending,
  routes,
  status,
  traffic,
} from "./fake-service.ts";

let directory: string;
let socketPath: string;
let service: FakeService;
let logged: { id: string; fields: EventFields }[];
let open: ControlApi[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "anyhome-api-"));
  socketPath = join(directory, "run", "control.sock");
  service = new FakeService();
  logged = [];
  open = [];
});

afterEach(async () => {
  for (const api of open) await api.close();
  rmSync(directory, { recursive: true });
});

async function serve(): Promise<ControlApi> {
  const log = { event: (id: string, fields: EventFields = {}) => void logged.push({ id, fields }) };
  const api = await serveControlApi(service, { socketPath, log });
  open.push(api);
  return api;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

function send(method: string, path: string, headers: Record<string, string> = {}, payload = ""): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request({ socketPath, method, path, headers, agent: false }, async (response) => {
      resolve({ status: response.statusCode ?? 0, body: JSON.parse(await text(response)) });
    })
      .on("error", reject)
      .end(payload);
  });
}

const get = (path: string) => send("GET", path);

function refusal(status: number, code: string, message: unknown = expect.any(String)): Answer {
  return { status, body: { error: { code, message } } };
}

describe("answers", () => {
  test("are what the daemon says", async () => {
    await serve();
    expect(await get("/v1/status")).toEqual({ status: 200, body: status });
    expect(await get("/v1/peers")).toEqual({ status: 200, body: peers });
    expect(await get("/v1/routes")).toEqual({ status: 200, body: routes });
    expect(await get("/v1/counters")).toEqual({ status: 200, body: counters });
    expect(await get("/v1/forwarding?limit=5")).toEqual({ status: 200, body: { entries: [forwarding], next: null } });
    expect(await get("/v1/forwarding/counters")).toEqual({ status: 200, body: forwardingCounters });
    expect(await get("/v1/bindings")).toEqual({ status: 200, body: { bindings: [alice, pending], next: null } });
  });

  test("have nothing that the contract does not name", async () => {
    service.status = () => Object.assign({}, status, { secret: "do not tell" });
    await serve();
    expect((await get("/v1/status")).body).toEqual(status);
  });

  test("that break the contract become an error which the log explains", async () => {
    service.status = () => ({ ...status, bootCount: -1 });
    await serve();
    expect(await get("/v1/status")).toEqual(refusal(500, "internal"));
    expect(logged.at(-1)).toMatchObject({ id: "api-request-failed", fields: { method: "GET", url: "/v1/status" } });
  });

  test("do not show what went wrong inside the daemon", async () => {
    service.peers = () => {
      throw new TypeError("cannot read properties of undefined");
    };
    await serve();
    const answer = await get("/v1/peers");
    expect(answer).toEqual(refusal(500, "internal"));
    expect(JSON.stringify(answer)).not.toContain("undefined");
    expect(logged.at(-1)?.fields.err).toBeInstanceOf(TypeError);
  });
});

describe("one binding", () => {
  test("is found by home address and by NAI, whatever characters that has", async () => {
    service.all.push({ ...pending, nai: "b/ü?%b@example.com" });
    await serve();
    expect(await get("/v1/bindings/10.79.0.1")).toEqual({ status: 200, body: { ...alice, traffic } });
    expect(await get("/v1/bindings/alice%40example.com")).toEqual({ status: 200, body: { ...alice, traffic } });
    const escaped = encodeURIComponent("b/ü?%b@example.com");
    expect(await get(`/v1/bindings/${escaped}`)).toMatchObject({ status: 200, body: { nai: "b/ü?%b@example.com" } });
  });

  test("is found however the realm is written, as realms are domain names", async () => {
    await serve();
    expect(await get("/v1/bindings/alice@EXAMPLE.com")).toEqual({ status: 200, body: { ...alice, traffic } });
  });

  test("is found by the longest NAI there is", async () => {
    const nai = `${"ü".repeat(120)}@example.com`;
    service.all.push({ ...pending, nai });
    await serve();
    expect(await get(`/v1/bindings/${encodeURIComponent(nai)}`)).toMatchObject({ status: 200, body: { nai } });
  });

  test("that does not exist is not found, which is not the same as a route that does not exist", async () => {
    await serve();
    expect(await get("/v1/bindings/10.64.9.9")).toEqual(
      refusal(404, "not-found", expect.stringContaining("10.64.9.9")),
    );
    expect(await get("/v1/binding")).toEqual(refusal(404, "unknown-route"));
    expect(await send("POST", "/v1/status")).toEqual(refusal(404, "unknown-route"));
  });

  test("is refused under a name that no mobile can have", async () => {
    await serve();
    for (const name of ["%20", "a%0Ab", "x".repeat(254)]) {
      expect(await get(`/v1/bindings/${name}`)).toEqual(refusal(400, "bad-request"));
    }
  });

  test("is deleted once, which the log remembers, and the answer is whose it was", async () => {
    await serve();
    const { mobile, homeAddress, nai, owner } = alice;
    const whose = { mobile, homeAddress, nai, owner };
    expect(await send("DELETE", "/v1/bindings/10.79.0.1")).toEqual({ status: 200, body: whose });
    expect(await send("DELETE", "/v1/bindings/10.79.0.1")).toEqual(refusal(404, "not-found"));
    expect(logged.filter(({ id }) => id === "binding-deleted")).toEqual([
      { id: "binding-deleted", fields: { mobile: "nai:alice@example.com" } },
    ]);
  });

  test("is not deleted here where another member owns it, or where that can't be stored", async () => {
    await serve();
    expect(await send("DELETE", "/v1/bindings/10.64.1.77")).toEqual(
      refusal(409, "not-owner", expect.stringContaining("ha2")),
    );
    service.deleteBinding = async () => {
      throw new ControlError("unavailable", "the store can't write");
    };
    expect(await send("DELETE", "/v1/bindings/10.79.0.1")).toEqual(
      refusal(503, "unavailable", "the store can't write"),
    );
  });
});

describe("a listing", () => {
  test("comes in pages that together have every binding once", async () => {
    service = new FakeService(2500);
    await serve();
    const homeAddresses: string[] = [];
    let next: string | null = "0";
    while (next !== null) {
      const { body } = await get(`/v1/bindings?limit=1000&after=${next}`);
      const page = body as { bindings: { homeAddress: string }[]; next: string | null };
      homeAddresses.push(...page.bindings.map(({ homeAddress }) => homeAddress));
      next = page.next;
    }
    expect(homeAddresses).toEqual(service.all.map(({ homeAddress }) => homeAddress));
  });

  test("hands its conditions to the daemon, and a limit if none is given", async () => {
    await serve();
    await get("/v1/bindings?mobile=alice%40Example.com&owner=ha2&role=ingress&state=temporary&limit=7&after=1");
    await get("/v1/bindings?mobile=10.64.1.77");
    expect(service.queries).toEqual([
      {
        mobile: { by: "nai", nai: "alice@example.com" },
        owner: "ha2",
        role: "ingress",
        state: "temporary",
        limit: 7,
        after: "1",
      },
      { mobile: { by: "home-address", homeAddress: 0x0a40014d }, limit: 100 },
    ]);
  });

  test("is refused under conditions that can't be meant", async () => {
    await serve();
    for (const query of [
      "limit=0",
      "limit=1001",
      "limit=x",
      "limit=1e2",
      "limit=0x10",
      "limit=010",
      "limit=5.0",
      "limit=+5",
      "limit=5&limit=6",
      "role=boss",
      "state=gone",
      "owners=ha1",
      "after=",
      "mobile=",
    ]) {
      const answer = await get(`/v1/bindings?${query}`);
      expect(answer, query).toEqual(refusal(400, "bad-request", expect.stringContaining(query.split("=")[0] ?? "")));
    }
  });

  test("that can't be continued says so", async () => {
    await serve();
    expect(await get("/v1/bindings?after=9")).toEqual(refusal(410, "stale-cursor"));
  });
});

describe("probes", () => {
  test("tell alive from ready", async () => {
    service.readiness = () => ({ ready: false, reasons: ["the store is loading"] });
    await serve();
    expect((await get("/livez")).status).toBe(200);
    expect(await get("/readyz")).toEqual({ status: 503, body: { ready: false, reasons: ["the store is loading"] } });
    service.readiness = () => ({ ready: true, reasons: [] });
    expect(await get("/readyz")).toEqual({ status: 200, body: { ready: true, reasons: [] } });
  });
});

describe("bad input", () => {
  test.each(["chek=true", "check=yes", "check=", "check=true&check=false"])(
    "does nothing that was not meant: POST /v1/reload?%s",
    async (query) => {
      await serve();
      expect(await send("POST", `/v1/reload?${query}`)).toEqual(refusal(400, "bad-request"));
      expect(service.orders).toEqual([]);
    },
  );

  test("of any size is refused, and the next request is served", async () => {
    await serve();
    expect((await get(`/v1/bindings?mobile=${"x".repeat(6000)}`)).status).toBe(400);
    const tooLong = await rawAnswer(`GET /v1/bindings?mobile=${"x".repeat(100_000)} HTTP/1.1\r\nHost: x\r\n\r\n`);
    expect(tooLong).toMatch(/^HTTP\/1.1 4\d\d /);
    const json = { "content-type": "application/json" };
    expect((await send("DELETE", "/v1/bindings/10.79.0.1", json, `"${"x".repeat(5000)}"`)).status).toBe(400);
    expect((await send("DELETE", "/v1/bindings/10.79.0.1", json, "{")).status).toBe(400);
    expect(await rawAnswer("\u0000\u0001 garbage\r\n\r\n")).toMatch(/^HTTP\/1.1 400 /);
    expect((await get("/v1/status")).status).toBe(200);
    expect(service.all).toContainEqual(alice);
  });
});

describe("other clients of the socket are not kept waiting", () => {
  test("by one that asks for a hundred lists in one go: it is hung up on", async () => {
    await serve();
    await rawAnswer("GET /v1/bindings HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100));
    expect(service.queries.length).toBeLessThanOrEqual(1);
    expect((await get("/v1/bindings")).status).toBe(200);
  });

  test("by as many as may connect that never end their question", async () => {
    await serve();
    const stuck = Array.from({ length: 64 }, () => connect(socketPath).on("error", () => undefined));
    for (const socket of stuck) socket.write("GET /v1/status HTTP/1.1\r\nHost: x\r\n");
    await vi.waitFor(async () => expect((await get("/livez")).status).toBe(200), { timeout: 60_000, interval: 100 });
    for (const socket of stuck) socket.destroy();
  });
});

test("as many clients as there may be that ask and never read keep nobody out: the oldest makes room", async () => {
  service.all.push(...Array.from({ length: 1000 }, (_, index) => ({ ...pending, nai: `${index}@${"x".repeat(240)}` })));
  await serve();
  const clients = Array.from({ length: 64 }, () => {
    const socket = connect(socketPath).on("error", () => undefined);
    // What no buffer of the kernel holds.
    socket.write("GET /v1/bindings?limit=1000 HTTP/1.1\r\nHost: x\r\n\r\n");
    return socket.pause();
  });
  await vi.waitFor(() => expect(service.queries).toHaveLength(64), { timeout: 60_000 });
  expect((await get("/livez")).status).toBe(200);
  expect((await get("/v1/status")).status).toBe(200);
  for (const socket of clients) socket.destroy();
});

/** What the server says to bytes that are not quite HTTP, until it hangs up. */
async function rawAnswer(bytes: string): Promise<string> {
  const socket = connect(socketPath);
  // The server may hang up before it has read everything.
  socket.on("error", () => socket.destroy());
  socket.write(bytes);
  let answer = "";
  socket.on("data", (chunk) => {
    answer += chunk;
  });
  await new Promise((resolve) => socket.once("close", resolve));
  return answer;
}

describe("the socket", () => {
  test("is for its owner only, in a directory that is made where it is missing", async () => {
    await serve();
    expect(statSync(socketPath).mode & 0o777).toBe(0o600);
  });

  test("is announced in the log", async () => {
    await serve();
    expect(logged).toEqual([{ id: "api-listening", fields: { socket: socketPath } }]);
  });

  test("that a killed daemon left behind is replaced", async () => {
    socketPath = join(directory, "control.sock");
    await leaveStaleSocket(socketPath);
    await serve();
    expect((await get("/v1/status")).status).toBe(200);
  });

  test("of a living daemon is left alone", async () => {
    await serve();
    await expect(serve()).rejects.toThrow(`another daemon listens on ${socketPath}`);
    expect((await get("/v1/status")).status).toBe(200);
  });

  test("does not replace a file of another kind", async () => {
    socketPath = join(directory, "precious");
    writeFileSync(socketPath, "data");
    await expect(serve()).rejects.toThrow("is not a socket");
    expect(statSync(socketPath).size).toBe(4);
  });

  test("goes with the server, even while a client is connected", async () => {
    const api = await serve();
    const idle = connect(socketPath);
    await new Promise((resolve) => idle.once("connect", resolve));
    await api.close();
    expect(existsSync(socketPath)).toBe(false);
    idle.destroy();
  });

  test("can't be opened where the directory is closed to us", async () => {
    writeFileSync(join(directory, "run"), "a file where the directory should be");
    chmodSync(directory, 0o700);
    await expect(serve()).rejects.toThrow();
  });
});

/** A socket file that nobody listens on, as after a SIGKILL: the server unlinks only the name it knows. */
async function leaveStaleSocket(path: string): Promise<void> {
  const server = createServer();
  const original = `${path}.original`;
  await new Promise<void>((resolve) => server.listen(original, resolve));
  renameSync(original, path);
  await new Promise((resolve) => server.close(resolve));
  expect(existsSync(path)).toBe(true);
}
