/**
 * Functions of the C library that Node has none for, through an FFI. It is loaded when something needs it: whoever doesn't
 * relay by MAC address runs without it, also on a platform for which there is no binary of it.
 */
import { getSystemErrorName } from "node:util";

export interface Libc {
  /** @throws SystemCallError, as the others */
  socket(domain: number, type: number, protocol: number): number;
  /** `address` is a `struct sockaddr`. */
  sendto(socket: number, payload: Uint8Array, flags: number, address: Uint8Array): void;
  interfaceIndex(name: string): number;
}

class SystemCallError extends Error {
  /** Such as `EPERM`. */
  readonly code: string;

  constructor(call: string, errno: number) {
    const code = getSystemErrorName(-errno);
    super(`${call}: ${code}`);
    this.name = "SystemCallError";
    this.code = code;
  }
}

/** Rejects where there is no FFI for this platform. */
export async function loadLibc(): Promise<Libc> {
  const { default: koffi } = await import("koffi");
  const library = koffi.load(null);
  const socket = library.func("int socket(int domain, int type, int protocol)");
  const sendto = library.func(
    "intptr_t sendto(int fd, const void *buffer, size_t length, int flags, const void *address, uint32_t addressLength)",
  );
  const nameToIndex = library.func("unsigned int if_nametoindex(const char *name)");
  const failed = (call: string) => new SystemCallError(call, koffi.errno());
  return {
    socket(domain, type, protocol) {
      const descriptor = socket(domain, type, protocol) as number;
      if (descriptor < 0) throw failed("socket");
      return descriptor;
    },
    sendto(descriptor, payload, flags, address) {
      if (sendto(descriptor, payload, payload.length, flags, address, address.length) < 0) throw failed("sendto");
    },
    interfaceIndex(name) {
      const index = nameToIndex(name) as number;
      if (index === 0) throw failed("if_nametoindex");
      return index;
    },
  };
}
