/** Packets on a lab node, captured by dumpcap and read by tshark: a judge of our messages that is not ours. */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import type { Lab } from "../../src/lab/namespaces/lab.ts";
import { waitFor } from "./harness.ts";

/**
 * The least of tshark's severities (`PI_WARN`) that says something is wrong. Below it are remarks: a UDP port from 33434 on
 * is a "possible traceroute", and a mobile's port is a random one.
 */
const EXPERT_WARNING = 0x600000;

export interface CapturedMessage {
  /** 1 for a Registration Request, 3 for a Registration Reply. */
  readonly type: number;
  readonly homeAddress: string;
  /** tshark found a field that it could not make sense of. */
  readonly malformed: boolean;
}

export interface CapturedDatagram {
  readonly sourceMac: string;
  readonly destinationMac: string;
  readonly source: string;
  readonly destination: string;
  /** Those of IPv4 and UDP. */
  readonly hasRightChecksums: boolean;
  readonly payload: Uint8Array;
}

export class PacketCapture {
  readonly #lab: Lab;
  readonly #node: string;
  readonly #filter: string;
  /** Made when the capture starts: one that never does leaves nothing. */
  #directory: string | undefined;
  #pid: number | undefined;

  constructor(lab: Lab, node: string, filter: string) {
    this.#lab = lab;
    this.#node = node;
    this.#filter = filter;
  }

  get #file(): string {
    if (this.#directory === undefined) throw new Error("the capture was not started");
    return join(this.#directory, "capture.pcapng");
  }

  async start(): Promise<void> {
    this.#directory = mkdtempSync(join(tmpdir(), "anyhome-capture-"));
    // One interface, on which every packet passes once; unbuffered, so that reading needs no stop.
    const command = ["dumpcap", "-q", "-i", await this.#uplink(), "-f", this.#filter, "-w", this.#file];
    this.#pid = this.#lab.spawn(this.#node, command, "capture");
    await waitFor(async () => statSync(this.#file, { throwIfNoEntry: false })?.isFile() ?? false, {
      deadlineMs: 10_000,
      what: "the capture to start",
    });
  }

  /** Ends the capture. */
  async messages(): Promise<CapturedMessage[]> {
    const fields = ["mip.type", "mip.homeaddr", "_ws.malformed", "_ws.expert.severity"];
    const packets = await this.#read("mip || _ws.malformed", fields);
    return packets.map(([type, homeAddress = "", malformed, severity = ""]) => ({
      type: Number(type),
      homeAddress,
      malformed: malformed !== "" || severity.split(",").some((each) => Number(each) >= EXPERT_WARNING),
    }));
  }

  /** Ends the capture. */
  async datagrams(): Promise<CapturedDatagram[]> {
    const fields = ["eth.src", "eth.dst", "ip.src", "ip.dst", "ip.checksum.status", "udp.checksum.status", "data.data"];
    const packets = await this.#read("udp", fields, ["ip.check_checksum:TRUE", "udp.check_checksum:TRUE"]);
    return packets.map(
      ([sourceMac = "", destinationMac = "", source = "", destination = "", ipStatus, udpStatus, data = ""]) => ({
        sourceMac,
        destinationMac,
        source,
        destination,
        hasRightChecksums: ipStatus === "1" && udpStatus === "1",
        payload: Buffer.from(data, "hex"),
      }),
    );
  }

  /** Ends the capture. The fields of each packet that a display filter picks, as tshark names and prints them. */
  fields(filter: string, fields: readonly string[]): Promise<string[][]> {
    return this.#read(filter, fields);
  }

  async #read(filter: string, fields: readonly string[], preferences: readonly string[] = []): Promise<string[][]> {
    await this.#stop();
    const { stdout } = await execa("tshark", [
      ...["-r", this.#file, "-Y", filter, "-T", "fields", "-E", "separator=;"],
      ...preferences.flatMap((preference) => ["-o", preference]),
      ...fields.flatMap((field) => ["-e", field]),
    ]);
    return stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => line.split(";"));
  }

  async discard(): Promise<void> {
    await this.#stop();
    if (this.#directory !== undefined) rmSync(this.#directory, { recursive: true, force: true });
  }

  async #stop(): Promise<void> {
    const pid = this.#pid;
    if (pid === undefined) return;
    this.#pid = undefined;
    process.kill(pid, "SIGINT");
    await waitFor(async () => !(await this.#lab.processes(this.#node)).some((running) => running.pid === pid), {
      deadlineMs: 10_000,
      what: "the capture to end",
    });
  }

  /** The interface towards the home agents. */
  async #uplink(): Promise<string> {
    const { stdout } = await this.#lab.run(this.#node, ["ip", "-json", "route", "get", "10.64.0.1"]);
    return (JSON.parse(stdout) as { dev: string }[])[0]?.dev ?? "any";
  }
}
