import { randomBytes } from "node:crypto";
import { UdpSocket } from "../adapters/net/udp-socket.ts";
import type { Endpoint } from "../core/wire/ipv4.ts";
import { IdentificationSource, type Random32, type ReplayStyle } from "./identification-source.ts";
import type { MobileAssociations } from "./mobile-messages.ts";
import {
  type AttemptResult,
  type AttemptStep,
  type DoubtedReply,
  RegistrationAttempt,
  type RegistrationOrder,
} from "./registration-attempt.ts";

export interface RegisterSettings {
  /** The destination of requests: a foreign agent or the home agent. */
  readonly target: Endpoint;
  readonly local: Endpoint;
  readonly associations: MobileAssociations;
  readonly replayStyle: ReplayStyle;
  readonly maximumTries: number;
}

export interface RegisterResult {
  readonly result: AttemptResult;
  readonly requestsSent: number;
  /** By how much the home agent's clock is ahead, if it reported that (133). */
  readonly clockOffsetMs: number | undefined;
  readonly lastDoubt: DoubtedReply | undefined;
  /** The last error of the system for a request that could not be sent. */
  readonly sendError: string | undefined;
}

export const random32: Random32 = () => randomBytes(4).readUInt32BE();

/** Registers or deregisters one mobile. Rejects with a system error if `local` can't be bound. */
export async function register(order: RegistrationOrder, settings: RegisterSettings): Promise<RegisterResult> {
  const { associations, replayStyle, maximumTries, target, local } = settings;
  const identifications = new IdentificationSource(replayStyle, random32);
  const attempt = new RegistrationAttempt(order, {
    associations,
    replayStyle,
    identifications,
    maximumTries,
    random: Math.random,
  });
  const { promise, resolve } = Promise.withResolvers<AttemptResult>();
  let timer: NodeJS.Timeout | undefined;
  let sendError: string | undefined;

  const socket = await UdpSocket.bind(local, {
    received: (payload) => perform(attempt.received(payload, Date.now())),
    sendFailed: (_destination, code) => {
      sendError = code;
    },
    failed: (error) => {
      sendError = error.message;
    },
  });

  function perform(step: AttemptStep): void {
    clearTimeout(timer);
    if (step.kind === "done") {
      resolve(step.result);
      return;
    }
    if (step.kind === "send") socket.send(step.payload, target);
    timer = setTimeout(() => perform(attempt.wake(Date.now())), Math.max(0, step.wakeAtMs - Date.now()));
  }

  perform(attempt.start(Date.now()));
  try {
    const result = await promise;
    return {
      result,
      requestsSent: attempt.requestsSent,
      clockOffsetMs: attempt.resynchronized ? identifications.clockOffsetMs(Date.now()) : undefined,
      lastDoubt: attempt.lastDoubt,
      sendError,
    };
  } finally {
    await socket.close();
    clearTimeout(timer);
  }
}
