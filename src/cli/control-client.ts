/** Asks the daemon by HTTP on its Unix socket. */
import { type IncomingMessage, request } from "node:http";
import { Option } from "commander";
import type { z } from "zod";
import { errorView } from "../adapters/api/requests.ts";
import { CliError, ExitCode } from "./exit.ts";

const TIMEOUT_MS = 15_000;
/** Far more than any answer of the daemon: an answer that doesn't end comes from something else. */
const MAXIMUM_ANSWER_BYTES = 64 << 20;

/** `--socket`; the command finds it as `socket` among its options. */
export function socketOption(): Option {
  return new Option("--socket <path>", "control socket of the daemon")
    .env("ANYHOME_SOCKET")
    .default("/run/anyhome/control.sock");
}

/**
 * Resolves with the answer to a request, which has the shape of the schema. Rejects with a CliError: `unreachable` if
 * no daemon answers, `notFound` if there is no such thing, `error` if the daemon refuses.
 */
export async function ask<Schema extends z.ZodType>(
  socket: string,
  method: "GET" | "POST" | "DELETE",
  path: string,
  schema: Schema,
  timeoutMs = TIMEOUT_MS,
): Promise<z.output<Schema>> {
  const { status, text } = await exchange(socket, method, path, timeoutMs);
  const body = parseJson(text);
  if (status !== 200) {
    const { data } = errorView.safeParse(body);
    const code = data?.error.code === "not-found" ? ExitCode.notFound : ExitCode.error;
    throw new CliError(data?.error.message ?? `the daemon answered with HTTP status ${status}`, code);
  }
  const { data, success } = schema.safeParse(body);
  if (!success) throw new CliError("the daemon's answer has another form than expected: is it of another version?");
  return data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Node's own client: for one request on a Unix socket it starts faster than any library. */
function exchange(
  socketPath: string,
  method: string,
  path: string,
  timeoutMs: number,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const unreachable = (error: NodeJS.ErrnoException) =>
      reject(new CliError(explain(socketPath, error), ExitCode.unreachable));
    const receive = (response: IncomingMessage) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > MAXIMUM_ANSWER_BYTES) asking.destroy(new Error("its answer is endless"));
      });
      response.on("error", unreachable);
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
    };
    const asking = request({ socketPath, method, path, agent: false }, receive);
    // The deadline is for the whole answer, so that one that trickles in does not hold up the command.
    const late = () => asking.destroy(new Error(`no whole answer within ${timeoutMs / 1000} s`));
    const deadline = setTimeout(late, timeoutMs);
    asking.on("error", unreachable);
    asking.on("close", () => clearTimeout(deadline));
    asking.end();
  });
}

function explain(socketPath: string, error: NodeJS.ErrnoException): string {
  const place = `the daemon at ${socketPath}`;
  switch (error.code) {
    case "ENOENT":
      return `can't reach ${place}: there is no such socket. Is it running? --socket or ANYHOME_SOCKET names another one`;
    case "ECONNREFUSED":
      return `can't reach ${place}: nobody listens there. Is it running?`;
    case "EACCES":
      return `can't reach ${place}: only its user and root may`;
    default:
      return `can't reach ${place}: ${error.message}`;
  }
}
