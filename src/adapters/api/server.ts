/** The control API: HTTP on a Unix socket, for `anyhome status` and the other commands. */
import { chmod } from "node:fs/promises";
import { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from "fastify";
import type { z } from "zod";
import { parseIpv4 } from "../../core/wire/ipv4.ts";
import { canonicalNai, encodeNai } from "../../core/wire/nai.ts";
import type { EventLog } from "../telemetry/log.ts";
import { Connections } from "./connections.ts";
import {
  ControlError,
  type ControlErrorCode,
  type ControlService,
  errorStatus,
  type MobileName,
} from "./control-service.ts";
import {
  bindingPage,
  bindingQuery,
  bindingView,
  countersView,
  deletionQuery,
  deletionView,
  forwardingCountersView,
  forwardingPage,
  pageQuery,
  peersView,
  readinessView,
  reloadQuery,
  reloadView,
  routesView,
  statusView,
} from "./schema.ts";
import { clearSocketPath } from "./socket.ts";

export interface ControlApi {
  /** Ends open connections and removes the socket file. */
  close(): Promise<void>;
}

export interface ControlApiOptions {
  readonly socketPath: string;
  readonly log: EventLog;
}

/** Requests have no body; NAIs have 253 bytes at most, three times as many characters when escaped. */
const limits = {
  bodyBytes: 1024,
  headerBytes: 8192,
  parameterLength: 1024,
  /** Clients are on the same machine: whoever takes longer to ask has hung, and must not keep others out. */
  requestMs: 2000,
  requestCheckIntervalMs: 500,
  connections: 64,
  answerMs: 5000,
  /** Questions asked in one go would be answered in one go, and hold up registrations as long. */
  requestsPerConnection: 1,
};

/** Resolves once requests are served. Rejects if another daemon listens there, or the path can't be used. */
export async function serveControlApi(service: ControlService, options: ControlApiOptions): Promise<ControlApi> {
  const { socketPath, log } = options;
  const app = fastify({
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.requestMs,
    maxRequestsPerSocket: limits.requestsPerConnection,
    forceCloseConnections: true,
    http: { maxHeaderSize: limits.headerBytes, connectionsCheckingInterval: limits.requestCheckIntervalMs },
    routerOptions: { maxParamLength: limits.parameterLength },
  });
  app.server.on("dropRequest", (_request, socket) => socket.destroy());
  const connections = new Connections(app.server, limits);
  app.addHook("onSend", async (request) => connections.answered(request.raw.socket));
  app.setValidatorCompiler<z.ZodType>(({ schema }) => (data) => {
    const result = schema.safeParse(data);
    return result.success ? { value: result.data } : { error: new ControlError("bad-request", explain(result.error)) };
  });
  // What is sent always has the shape that schema.ts promises.
  app.setSerializerCompiler<z.ZodType>(
    ({ schema }) =>
      (data) =>
        JSON.stringify(schema.parse(data)),
  );
  app.setErrorHandler((error: FastifyError | ControlError, request, reply) => sendError(error, request, reply, log));
  app.setNotFoundHandler((request, reply) =>
    refuse(reply, "unknown-route", `there is no ${request.method} ${request.url}`),
  );
  addRoutes(app, service, log);

  await clearSocketPath(socketPath);
  await app.listen({ path: socketPath });
  // Until here the umask decides: connecting takes the write permission, which usual ones deny to others.
  await chmod(socketPath, 0o600);
  log.event("api-listening", { socket: socketPath });
  return { close: () => app.close() };
}

function addRoutes(app: FastifyInstance, service: ControlService, log: EventLog): void {
  app.get("/v1/status", { schema: { response: { 200: statusView } } }, () => service.status());
  app.get("/v1/peers", { schema: { response: { 200: peersView } } }, () => service.peers());
  app.get("/v1/routes", { schema: { response: { 200: routesView } } }, () => service.routes());
  app.get("/v1/counters", { schema: { response: { 200: countersView } } }, () => service.counters());
  app.get<{ Querystring: z.output<typeof bindingQuery> }>(
    "/v1/bindings",
    { schema: { querystring: bindingQuery, response: { 200: bindingPage } } },
    ({ query: { mobile, owner, role, state, limit, after } }) =>
      service.bindings({
        limit,
        ...(mobile !== undefined && { mobile: parseMobile(mobile) }),
        ...(owner !== undefined && { owner }),
        ...(role !== undefined && { role }),
        ...(state !== undefined && { state }),
        ...(after !== undefined && { after }),
      }),
  );
  app.get<{ Querystring: z.output<typeof pageQuery> }>(
    "/v1/forwarding",
    { schema: { querystring: pageQuery, response: { 200: forwardingPage } } },
    ({ query: { limit, after } }) => service.forwarding({ limit, ...(after !== undefined && { after }) }),
  );
  app.get("/v1/forwarding/counters", { schema: { response: { 200: forwardingCountersView } } }, () =>
    service.forwardingCounters(),
  );
  const oneBinding = { schema: { response: { 200: bindingView } } };
  app.get<{ Params: { mobile: string } }>("/v1/bindings/:mobile", oneBinding, ({ params: { mobile } }) =>
    found(mobile, service.binding(parseMobile(mobile))),
  );
  app.delete<{ Params: { mobile: string }; Querystring: z.output<typeof deletionQuery> }>(
    "/v1/bindings/:mobile",
    { schema: { querystring: deletionQuery, response: { 200: deletionView } } },
    async ({ params: { mobile }, query }) => {
      const forgetReplay = query["forget-replay"] === "true";
      const deleted = found(mobile, await service.deleteBinding(parseMobile(mobile), { forgetReplay }));
      if (forgetReplay) log.event("replay-state-forgotten", { mobile: deleted.mobile });
      else log.event("binding-deleted", { mobile: deleted.mobile });
      return deleted;
    },
  );
  for (const [path, wanted] of [
    ["/v1/drain", true],
    ["/v1/undrain", false],
  ] as const) {
    app.post(path, { schema: { response: { 200: statusView } } }, () => {
      service.drain(wanted);
      return service.status();
    });
  }
  app.post("/v1/rebalance", { schema: { response: { 200: statusView } } }, () => {
    service.rebalance();
    return service.status();
  });
  app.post<{ Querystring: z.output<typeof reloadQuery> }>(
    "/v1/reload",
    { schema: { querystring: reloadQuery, response: { 200: reloadView } } },
    ({ query: { check } }) => service.reload(check === "true"),
  );
  app.get("/livez", () => ({ alive: true }));
  app.get("/readyz", { schema: { response: { "2xx": readinessView, 503: readinessView } } }, (_, reply) => {
    const readiness = service.readiness();
    return reply.code(readiness.ready ? 200 : 503).send(readiness);
  });
}

function parseMobile(text: string): MobileName {
  const homeAddress = parseIpv4(text);
  if (homeAddress !== undefined) return { by: "home-address", homeAddress };
  if (encodeNai(text) !== undefined) return { by: "nai", nai: canonicalNai(text) };
  throw new ControlError("bad-request", `${JSON.stringify(text)} is neither a home address nor an NAI`);
}

function found<T>(mobile: string, binding: T | undefined): T {
  if (binding === undefined) throw new ControlError("not-found", `this home agent has no binding of ${mobile}`);
  return binding;
}

function explain(error: z.ZodError): string {
  return error.issues.map(({ path, message }) => [path.join("."), message].filter(Boolean).join(": ")).join("; ");
}

function sendError(error: FastifyError | ControlError, request: FastifyRequest, reply: FastifyReply, log: EventLog) {
  if (error instanceof ControlError) return refuse(reply, error.code, error.message);
  // Fastify's own objections: a body that is too large, or not JSON.
  if (error.statusCode !== undefined && error.statusCode < 500) return refuse(reply, "bad-request", error.message);
  log.event("api-request-failed", { method: request.method, url: request.url, err: error });
  return refuse(reply, "internal", "the daemon failed to answer; its log says why");
}

function refuse(reply: FastifyReply, code: ControlErrorCode, message: string) {
  return reply.code(errorStatus[code]).send({ error: { code, message } });
}
