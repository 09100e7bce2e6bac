/** The control API: HTTP on a Unix socket, for `anyhome status` and the other commands. */
import { chmod } from "node:fs/promises";
import { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from "fastify";
import { z } from "zod";
import { formatIpv4 } from "../../core/wire/ipv4.ts";
import type { EventLog } from "../telemetry/log.ts";
import { Connections } from "./connections.ts";
import { type ApiRequest, type MobileName, mobileName } from "./kinds.ts";
import { ControlError, type ControlErrorCode, type ControlService, errors, requests } from "./requests.ts";
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
  /** Clients are on the same machine: one that takes longer to ask has hung, and must not keep others out. */
  requestMs: 2000,
  requestCheckIntervalMs: 500,
  connections: 64,
  answerMs: 5000,
  /** Requests sent in one go would be answered in one go, and would hold up registrations meanwhile. */
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
  // What is sent always has the shape that the table of requests promises.
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
  // Until here the umask decides. Connecting requires write permission, which usual umasks deny to others.
  await chmod(socketPath, 0o600);
  log.event("api-listening", { socket: socketPath });
  return { close: () => app.close() };
}

/** A method of the service, which is called with the query and the mobile. */
type Method = (asked: object) => unknown;

function addRoutes(app: FastifyInstance, service: ControlService, log: EventLog): void {
  app.get("/livez", () => ({ alive: true }));
  for (const [name, request] of Object.entries<ApiRequest>(requests)) {
    const { method, path, answer } = request;
    const isOfMobile = path.endsWith("/:mobile");
    app.route<{ Querystring: Record<string, unknown>; Params: { mobile?: MobileName } }>({
      method,
      url: path,
      schema: {
        ...(request.query && { querystring: request.query }),
        ...(isOfMobile && { params: z.object({ mobile: mobileName }) }),
        response: { "2xx": answer, ...(request.statusOf && { 503: answer }) },
      },
      handler: async ({ query, params }, reply) => {
        const asked = { ...query, ...params };
        const perform = service[name as keyof ControlService] as Method;
        const found = await perform.call(service, asked);
        if (found === undefined)
          throw new ControlError("not-found", `this home agent has no binding of ${nameIn(params)}`);
        request.audit?.(log, found as never, asked as never);
        return reply.code(request.statusOf?.(found as never) ?? 200).send(found);
      },
    });
  }
}

function nameIn(params: { mobile?: MobileName }): string {
  const { mobile } = params;
  return mobile?.by === "home-address" ? formatIpv4(mobile.homeAddress) : (mobile?.nai ?? "");
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
  return reply.code(errors[code].status).send({ error: { code, message } });
}
