/**
 * Functions of the C library that Node doesn't offer, through an FFI. It is loaded only when something needs it: a daemon
 * that neither relays by MAC address nor announces by OSPF runs without it, even on a platform for which it has no binary.
 * So does BFD, with less protection.
 */
import { closeSync } from "node:fs";
import { endianness } from "node:os";
import { getSystemErrorName } from "node:util";
import type { Endpoint } from "../../core/wire/ipv4.ts";

export interface Libc {
  /** @throws SystemCallError, like the others */
  socket(domain: number, type: number, protocol: number): number;
  /** `address` is a `struct sockaddr`, here and below. */
  bind(socket: number, address: Uint8Array): void;
  connect(socket: number, address: Uint8Array): void;
  /** The process that listens at the other end of a connected unix socket: a `struct ucred`. */
  peerCredentials(socket: number): Uint8Array;
  /** A classic BPF program: an array of `struct sock_filter`. */
  attachFilter(socket: number, program: Uint8Array): void;
  sendto(socket: number, payload: Uint8Array, flags: number, address: Uint8Array): void;
  /** Returns the length of what was received. */
  recv(socket: number, buffer: Uint8Array, flags: number): number;
  /** Beyond what the system's settings allow, where there is CAP_NET_ADMIN. */
  setReceiveBuffer(socket: number, octets: number): void;
  /** Waits until there is something for one of an array of `struct pollfd`, at most so long. */
  poll(descriptors: Uint8Array, timeoutMs: number): void;
  /** Returns the length of what was read from a descriptor that does not block; `undefined` if nothing is there. */
  read(descriptor: number, buffer: Uint8Array): number | undefined;
  write(descriptor: number, bytes: Uint8Array): void;
  /** An eventfd(2) that does not block. */
  eventDescriptor(): number;
  /** `argument` is what the request passes a pointer to. */
  ioctl(descriptor: number, request: number, argument: Uint8Array): void;
  interfaceIndex(name: string): number;
  interfaceMtu(name: string): number;
  /**
   * CLOCK_BOOTTIME: it can't be set, it runs during suspends too, and BPF programs can read it. Containers may have another
   * /proc/uptime.
   */
  bootTimeMs(): number;
  /** These differ from platform to platform. */
  readonly SOCK_DGRAM: number;
  readonly SOCK_STREAM: number;
  readonly SOCK_NONBLOCK: number;
  readonly TUNSETIFF: number;
  readonly TUNSETPERSIST: number;
}

export class SystemCallError extends Error {
  /** Such as `EPERM`. */
  readonly code: string;

  constructor(call: string, errno: number) {
    const code = getSystemErrorName(-errno);
    super(`${call}: ${code}`);
    this.name = "SystemCallError";
    this.code = code;
  }
}

/** Of <sys/socket.h>; equal on all platforms of Linux that Node runs on. */
export const AF_INET = 2;
export const SOCK_RAW = 3;
const SOCKADDR_IN_LENGTH = 16;
/** Programs that we start do not inherit our sockets. From <sys/socket.h>; equal on all platforms, like O_CLOEXEC. */
const SOCK_CLOEXEC = 0o2000000;
const EFD_CLOEXEC = SOCK_CLOEXEC;
const SO_ATTACH_FILTER = 26;
const SO_RCVBUFFORCE = 33;
const SIOCGIFMTU = 0x8921;
const CLOCK_BOOTTIME = 7;
const IFREQ_LENGTH = 40;
export const INTERFACE_NAME_LENGTH = 16;
const SOCK_FILTER_LENGTH = 8;
const UCRED_LENGTH = 12;
/** `struct pollfd`: the descriptor, what is waited for, and what there is. */
export const POLLFD_LENGTH = 8;

/** `struct sockaddr_in` */
export function socketAddress({ address, port }: Endpoint): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(SOCKADDR_IN_LENGTH));
  view.setUint16(0, AF_INET, endianness() === "LE");
  view.setUint16(2, port);
  view.setUint32(4, address);
  return new Uint8Array(view.buffer);
}

/** `struct ifreq` of an interface, with zeros behind its name. */
export function interfaceRequest(name: string): Uint8Array<ArrayBuffer> {
  const request = new Uint8Array(IFREQ_LENGTH);
  request.set(new TextEncoder().encode(name).subarray(0, INTERFACE_NAME_LENGTH - 1));
  return request;
}

/** Rejects where there is no FFI for this platform. */
export async function loadLibc(): Promise<Libc> {
  const { default: koffi } = await import("koffi");
  const library = koffi.load(null);
  const socket = library.func("int socket(int domain, int type, int protocol)");
  const bind = library.func("int bind(int fd, const void *address, uint32_t addressLength)");
  const connect = library.func("int connect(int fd, const void *address, uint32_t addressLength)");
  const getOption = library.func(
    "int getsockopt(int fd, int level, int name, _Out_ void *value, _Inout_ uint32_t *valueLength)",
  );
  const filterProgram = koffi.struct({ length: "uint16_t", program: "void *" });
  const setFilter = library.func("setsockopt", "int", ["int", "int", "int", koffi.pointer(filterProgram), "uint32_t"]);
  const sendto = library.func(
    "intptr_t sendto(int fd, const void *buffer, size_t length, int flags, const void *address, uint32_t addressLength)",
  );
  const recv = library.func("intptr_t recv(int fd, _Out_ void *buffer, size_t length, int flags)");
  const setOption = library.func(
    "int setsockopt(int fd, int level, int name, const void *value, uint32_t valueLength)",
  );
  const poll = library.func("int poll(_Inout_ void *descriptors, unsigned long count, int timeout)");
  const read = library.func("intptr_t read(int fd, _Out_ void *buffer, size_t length)");
  const write = library.func("intptr_t write(int fd, const void *buffer, size_t length)");
  const eventfd = library.func("int eventfd(unsigned int value, int flags)");
  const { EAGAIN, EINTR } = koffi.os.errno;
  const ioctl = library.func("int ioctl(int fd, unsigned long request, ...)");
  const nameToIndex = library.func("unsigned int if_nametoindex(const char *name)");
  const timespec = koffi.struct({ seconds: "long", nanoseconds: "long" });
  const getTime = library.func("clock_gettime", "int", ["int", koffi.out(koffi.pointer(timespec))]);
  const isMips = ["mips", "mipsel"].includes(process.arch);
  const SOL_SOCKET = isMips ? 0xffff : 1;
  /** Direction and size of the argument; on some platforms the direction has other bits. */
  const writing = isMips || process.arch === "ppc64" ? 0x8004_0000 : 0x4004_0000;
  const SO_PEERCRED = isMips ? 18 : process.arch === "ppc64" ? 21 : 17;
  const failed = (call: string) => new SystemCallError(call, koffi.errno());
  const libc: Libc = {
    socket(domain, type, protocol) {
      const descriptor = socket(domain, type | SOCK_CLOEXEC, protocol) as number;
      if (descriptor < 0) throw failed("socket");
      return descriptor;
    },
    bind(descriptor, address) {
      if (bind(descriptor, address, address.length) < 0) throw failed("bind");
    },
    connect(descriptor, address) {
      if (connect(descriptor, address, address.length) < 0) throw failed("connect");
    },
    peerCredentials(descriptor) {
      const credentials = new Uint8Array(UCRED_LENGTH);
      if (getOption(descriptor, SOL_SOCKET, SO_PEERCRED, credentials, [UCRED_LENGTH]) < 0) throw failed("getsockopt");
      return credentials;
    },
    attachFilter(descriptor, program) {
      const argument = { length: program.length / SOCK_FILTER_LENGTH, program };
      const result = setFilter(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, argument, koffi.sizeof(filterProgram));
      if (result < 0) throw failed("setsockopt");
    },
    sendto(descriptor, payload, flags, address) {
      if (sendto(descriptor, payload, payload.length, flags, address, address.length) < 0) throw failed("sendto");
    },
    recv(descriptor, buffer, flags) {
      const length = Number(recv(descriptor, buffer, buffer.length, flags));
      if (length < 0) throw failed("recv");
      return length;
    },
    setReceiveBuffer(descriptor, octets) {
      if (setOption(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, Int32Array.of(octets), 4) < 0) throw failed("setsockopt");
    },
    poll(descriptors, timeoutMs) {
      const result = poll(descriptors, descriptors.length / POLLFD_LENGTH, timeoutMs);
      if (result < 0 && koffi.errno() !== EINTR) throw failed("poll");
    },
    read(descriptor, buffer) {
      const length = Number(read(descriptor, buffer, buffer.length));
      if (length >= 0) return length;
      if (koffi.errno() === EAGAIN) return undefined;
      throw failed("read");
    },
    write(descriptor, bytes) {
      if (write(descriptor, bytes, bytes.length) < 0) throw failed("write");
    },
    eventDescriptor() {
      const descriptor = eventfd(0, EFD_CLOEXEC | libc.SOCK_NONBLOCK) as number;
      if (descriptor < 0) throw failed("eventfd");
      return descriptor;
    },
    ioctl(descriptor, request, argument) {
      if (ioctl(descriptor, request, "_Inout_ void *", argument) < 0) throw failed("ioctl");
    },
    interfaceIndex(name) {
      const index = nameToIndex(name) as number;
      if (index === 0) throw failed("if_nametoindex");
      return index;
    },
    interfaceMtu(name) {
      const descriptor = libc.socket(AF_INET, libc.SOCK_DGRAM, 0);
      try {
        const request = interfaceRequest(name);
        libc.ioctl(descriptor, SIOCGIFMTU, request);
        return new Int32Array(request.buffer, INTERFACE_NAME_LENGTH, 1)[0] ?? 0;
      } finally {
        closeSync(descriptor);
      }
    },
    bootTimeMs() {
      const time = { seconds: 0, nanoseconds: 0 };
      if (getTime(CLOCK_BOOTTIME, time) < 0) throw failed("clock_gettime");
      return time.seconds * 1000 + time.nanoseconds / 1e6;
    },
    SOCK_DGRAM: isMips ? 1 : 2,
    SOCK_STREAM: isMips ? 2 : 1,
    SOCK_NONBLOCK: isMips ? 0o200 : 0o4000,
    // _IOW('T', 202, int) and _IOW('T', 203, int)
    TUNSETIFF: writing + 0x54ca,
    TUNSETPERSIST: writing + 0x54cb,
  };
  return libc;
}
