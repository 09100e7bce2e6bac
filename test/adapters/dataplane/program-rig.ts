/**
 * The data plane's programs in the kernel of this machine, run on single packets (BPF_PROG_TEST_RUN), in a network namespace that
 * this process has for itself:
 *
 *    anyhome0 ── 10.64.0.0/12          uplink 192.0.2.1/24 ── everything else by 192.0.2.254
 *    10.64.0.1 is the virtual address
 */
import koffi from "koffi";
import { HomeMaps } from "../../../src/adapters/dataplane/home-maps.ts";
import { type BpfObject, loadLibbpf } from "../../../src/adapters/dataplane/libbpf.ts";
import { TunnelDevice } from "../../../src/adapters/dataplane/tunnel-device.ts";
import { TunnelMaps } from "../../../src/adapters/dataplane/tunnel-maps.ts";
import { type Libc, loadLibc } from "../../../src/adapters/kernel/libc.ts";
import { NetlinkSocket } from "../../../src/adapters/kernel/netlink-socket.ts";
import type { ForwardingEntry } from "../../../src/core/forwarding/forwarding-entry.ts";
import { DROP_REASONS, type DropReason } from "../../../src/core/tunnel/drop-reasons.ts";
import { ipv4 } from "../../../src/core/wire/ipv4.ts";
import { addUplink, enterOwnNamespace, ip } from "./own-namespace.ts";

const OBJECT = new URL("../../../src/adapters/dataplane/tunnels.bpf.o", import.meta.url).pathname;
/** Of <linux/pkt_cls.h>. */
const TC_ACT_SHOT = 2;
const TC_ACT_REDIRECT = 7;
const TC_ACT_UNSPEC = 0xffff_ffff;
const LARGEST_PACKET = 4096;

export const VIRTUAL_ADDRESS = "10.64.0.1";
export const OWN_ADDRESS = "192.0.2.1";
export const NETWORK = { address: ipv4("10.64.0.0"), length: 12 };

/** What a program does with a packet: `passed` to the kernel as it was, redirected as it is now, or dropped. */
export type Outcome =
  | { readonly verdict: "passed" }
  | { readonly verdict: "redirected"; readonly packet: Buffer }
  | { readonly verdict: "dropped"; readonly reason: DropReason | undefined };

export class ProgramRig {
  readonly maps: TunnelMaps;
  readonly homeMaps: HomeMaps;
  readonly #object: BpfObject;
  readonly #bootOffsetMs: number;
  readonly #testRun: ReturnType<typeof testRunner>;

  private constructor(object: BpfObject, maps: TunnelMaps, libc: Libc) {
    this.#bootOffsetMs = libc.bootTimeMs() - performance.now();
    this.#object = object;
    this.maps = maps;
    this.homeMaps = new HomeMaps(object);
    this.#testRun = testRunner();
  }

  /** This process is in another network namespace from here on. */
  static async make(): Promise<ProgramRig> {
    const libc = await loadLibc();
    enterOwnNamespace();
    ip(`address add ${VIRTUAL_ADDRESS}/32 dev lo`);
    addUplink();
    const device = new TunnelDevice(libc, new NetlinkSocket(libc), "anyhome0", [NETWORK]);
    device.keepRouted(1500);
    const object = (await loadLibbpf()).load(OBJECT);
    const maps = new TunnelMaps(object);
    maps.configure({ virtual: ipv4(VIRTUAL_ADDRESS), own: ipv4(OWN_ADDRESS) }, device.index);
    maps.attendUntil(Number.MAX_SAFE_INTEGER / 1e6);
    return new ProgramRig(object, maps, libc);
  }

  /** Instead of whatever was said of these addresses before. */
  put(...entries: ForwardingEntry[]): void {
    this.putAll(entries);
  }

  putAll(entries: Iterable<ForwardingEntry>): void {
    this.maps.put(entries, { wallMs: Date.now(), bootMs: performance.now() + this.#bootOffsetMs });
  }

  run(program: "encapsulate" | "decapsulate", frame: Uint8Array): Outcome {
    const before = this.maps.drops();
    const { result, packet } = this.#testRun(this.#object.program(program), frame);
    if (result === TC_ACT_REDIRECT) return { verdict: "redirected", packet };
    if (result === TC_ACT_UNSPEC) return { verdict: "passed" };
    if (result !== TC_ACT_SHOT) throw new Error(`the program answered ${result}`);
    const after = this.maps.drops();
    const reasons = Object.keys(DROP_REASONS) as DropReason[];
    return { verdict: "dropped", reason: reasons.find((reason) => after[reason] === before[reason] + 1) };
  }
}

function testRunner() {
  const options = koffi.struct({
    size: "size_t",
    dataIn: "void *",
    dataOut: "void *",
    dataSizeIn: "uint32_t",
    dataSizeOut: "uint32_t",
    contextIn: "void *",
    contextOut: "void *",
    contextSizeIn: "uint32_t",
    contextSizeOut: "uint32_t",
    result: "uint32_t",
    repeat: "int",
    duration: "uint32_t",
    flags: "uint32_t",
    cpu: "uint32_t",
    batchSize: "uint32_t",
  });
  const run = koffi
    .load("libbpf.so.1")
    .func("bpf_prog_test_run_opts", "int", ["int", koffi.inout(koffi.pointer(options))]);
  const dataIn = koffi.alloc("uint8_t", LARGEST_PACKET);
  const dataOut = koffi.alloc("uint8_t", LARGEST_PACKET);
  return (program: number, packet: Uint8Array) => {
    koffi.encode(dataIn, koffi.array("uint8_t", packet.length), packet);
    const argument = {
      size: koffi.sizeof(options),
      dataIn,
      dataOut,
      dataSizeIn: packet.length,
      dataSizeOut: LARGEST_PACKET,
      contextIn: null,
      contextOut: null,
      contextSizeIn: 0,
      contextSizeOut: 0,
      result: 0,
      repeat: 1,
      duration: 0,
      flags: 0,
      cpu: 0,
      batchSize: 0,
    };
    const errno = -run(program, argument);
    if (errno > 0) throw new Error(`bpf_prog_test_run_opts: error number ${errno}`);
    const length = argument.dataSizeOut;
    const bytes: Uint8Array = length === 0 ? [] : koffi.decode(dataOut, koffi.array("uint8_t", length));
    return { result: argument.result, packet: Buffer.from(bytes) };
  };
}
