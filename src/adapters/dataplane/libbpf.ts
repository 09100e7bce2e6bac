/**
 * The functions of libbpf that load programs, fill maps and attach programs to interfaces, through an FFI. The library comes with
 * iproute2 on Debian; it is loaded when a data plane is configured.
 */
import { endianness } from "node:os";
import { SystemCallError } from "../kernel/libc.ts";

const LIBRARY = "libbpf.so.1";
const LITTLE_ENDIAN = endianness() === "LE";

/** Of <linux/bpf.h> and <bpf/libbpf.h>. */
const BPF_TC_INGRESS = 1;
const BPF_TC_EGRESS = 2;
const BPF_TC_F_REPLACE = 1;

/** Of our filters among those of an interface. */
const FILTER_PRIORITY = 0xa11;

/** Where a program is attached. */
export interface Place {
  readonly interfaceIndex: number;
  readonly hook: "ingress" | "egress";
  /** Programs of several handles can be there, and see a packet one after the other; not 0. */
  readonly handle: number;
}

export interface Libbpf {
  /** @throws SystemCallError, as the others: `EPERM` without CAP_BPF, `ENOENT` where there is no such file */
  load(path: string): BpfObject;
  /** In one step in the place of the program that is there. */
  attach(program: number, place: Place): void;
  isAttached(place: Place): boolean;
  /** Nothing happens where none is. */
  detach(place: Place): void;
}

/** What one file of programs becomes in the kernel: closed, it stays as long as one of its programs is attached. */
export interface BpfObject {
  map(name: string): BpfMap;
  /** Its descriptor. */
  program(name: string): number;
  close(): void;
}

export interface BpfMap {
  set(key: Uint8Array, value: Uint8Array): void;
  /** Keys and values one after the other. */
  setAll(keys: Uint8Array, values: Uint8Array, count: number): void;
  /** Whether there was one. */
  delete(key: Uint8Array): boolean;
  /** Takes the oldest out of a queue, into `value`; false where there is none. */
  pop(value: Uint8Array): boolean;
  /** All that a per-CPU array of 64-bit counters has under the key, together. */
  sum(key: Uint8Array): number;
  /** Fills `value`; false where there is none. Of a per-CPU map the value holds one for each possible CPU. */
  get(key: Uint8Array, value: Uint8Array): boolean;
}

/** Rejects where there is no such library, or no FFI for this platform. */
export async function loadLibbpf(): Promise<Libbpf> {
  const { default: koffi } = await import("koffi");
  const library = koffi.load(LIBRARY);
  const openFile = library.func("void *bpf_object__open_file(const char *path, const void *options)");
  const loadObject = library.func("int bpf_object__load(void *object)");
  const closeObject = library.func("void bpf_object__close(void *object)");
  const findMap = library.func("int bpf_object__find_map_fd_by_name(void *object, const char *name)");
  const findProgram = library.func("void *bpf_object__find_program_by_name(void *object, const char *name)");
  const programDescriptor = library.func("int bpf_program__fd(void *program)");
  const updateElement = library.func(
    "int bpf_map_update_elem(int fd, const void *key, const void *value, uint64_t flags)",
  );
  const updateBatch = library.func(
    "int bpf_map_update_batch(int fd, const void *keys, const void *values, _Inout_ uint32_t *count, const void *options)",
  );
  const deleteElement = library.func("int bpf_map_delete_elem(int fd, const void *key)");
  const lookUpElement = library.func("int bpf_map_lookup_elem(int fd, const void *key, void *value)");
  const popElement = library.func("int bpf_map_lookup_and_delete_elem(int fd, const void *key, void *value)");
  const createHook = library.func("int bpf_tc_hook_create(const void *hook)");
  const attach = library.func("int bpf_tc_attach(const void *hook, void *options)");
  const query = library.func("int bpf_tc_query(const void *hook, void *options)");
  const detach = library.func("int bpf_tc_detach(const void *hook, const void *options)");
  const possibleCpus: number = library.func("int libbpf_num_possible_cpus()")();
  // It would write to our stderr; what fails comes back as an error number.
  library.func("void *libbpf_set_print(void *print)")(null);

  const check = (call: string, result: number) => {
    if (result < 0) throw new SystemCallError(call, -result);
    return result;
  };
  const isThere = (call: string, result: number) => {
    const { ENOENT, EINVAL, ENODEV } = koffi.os.errno;
    // EINVAL: there is nothing that programs could be attached to, so none is.
    if ([ENOENT, EINVAL, ENODEV].includes(-result)) return false;
    check(call, result);
    return true;
  };

  class OpenMap implements BpfMap {
    readonly #descriptor: number;

    constructor(descriptor: number) {
      this.#descriptor = descriptor;
    }

    set(key: Uint8Array, value: Uint8Array): void {
      check("bpf_map_update_elem", updateElement(this.#descriptor, key, value, 0));
    }

    setAll(keys: Uint8Array, values: Uint8Array, count: number): void {
      check("bpf_map_update_batch", updateBatch(this.#descriptor, keys, values, [count], null));
    }

    delete(key: Uint8Array): boolean {
      return isThere("bpf_map_delete_elem", deleteElement(this.#descriptor, key));
    }

    pop(value: Uint8Array): boolean {
      return isThere("bpf_map_lookup_and_delete_elem", popElement(this.#descriptor, null, value));
    }

    sum(key: Uint8Array): number {
      const perCpu = new BigUint64Array(possibleCpus);
      this.get(key, new Uint8Array(perCpu.buffer));
      return Number(perCpu.reduce((sum, count) => sum + count, 0n));
    }

    get(key: Uint8Array, value: Uint8Array): boolean {
      return isThere("bpf_map_lookup_elem", lookUpElement(this.#descriptor, key, value));
    }
  }

  return {
    load(path) {
      const object: unknown = openFile(path, null);
      if (object === null) throw new SystemCallError("bpf_object__open", koffi.errno());
      const result = loadObject(object);
      if (result < 0) {
        closeObject(object);
        throw new SystemCallError("bpf_object__load", -result);
      }
      return {
        map: (name) => new OpenMap(check(`map ${name}`, findMap(object, name))),
        program: (name) => check(`program ${name}`, programDescriptor(findProgram(object, name))),
        close: () => closeObject(object),
      };
    },
    attach(program, place) {
      const at = hookOptions(place);
      const created = createHook(at);
      if (created < 0 && -created !== koffi.os.errno.EEXIST) check("bpf_tc_hook_create", created);
      check("bpf_tc_attach", attach(at, filterOptions(place, { program, flags: BPF_TC_F_REPLACE })));
    },
    isAttached: (place) => isThere("bpf_tc_query", query(hookOptions(place), filterOptions(place))),
    detach(place) {
      isThere("bpf_tc_detach", detach(hookOptions(place), filterOptions(place)));
    },
  };
}

/** `struct bpf_tc_hook` */
function hookOptions({ interfaceIndex, hook }: Place): Uint8Array {
  const view = new DataView(new ArrayBuffer(24));
  view.setBigUint64(0, BigInt(view.byteLength), LITTLE_ENDIAN);
  view.setInt32(8, interfaceIndex, LITTLE_ENDIAN);
  view.setUint32(12, hook === "ingress" ? BPF_TC_INGRESS : BPF_TC_EGRESS, LITTLE_ENDIAN);
  return new Uint8Array(view.buffer);
}

/** `struct bpf_tc_opts` */
function filterOptions({ handle }: Place, { program = 0, flags = 0 } = {}): Uint8Array {
  const view = new DataView(new ArrayBuffer(32));
  view.setBigUint64(0, BigInt(view.byteLength), LITTLE_ENDIAN);
  view.setInt32(8, program, LITTLE_ENDIAN);
  view.setUint32(12, flags, LITTLE_ENDIAN);
  view.setUint32(20, handle, LITTLE_ENDIAN);
  view.setUint32(24, FILTER_PRIORITY, LITTLE_ENDIAN);
  return new Uint8Array(view.buffer);
}
