import { closeSync } from "node:fs";
import { endianness } from "node:os";
import { loadLibc } from "./libc.ts";

/** Of <sys/socket.h> and <sys/un.h>; equal on all platforms of Linux that Node runs on. */
const AF_UNIX = 1;
const PATH_OFFSET = 2;

/**
 * The id of the process that listens on a unix socket; `undefined` if that is in another PID namespace. Rejects with a
 * SystemCallError if no process listens, or if the one that does has left too many connections waiting (`EAGAIN`).
 */
export async function listeningProcess(path: string): Promise<number | undefined> {
  const libc = await loadLibc();
  const socket = libc.socket(AF_UNIX, libc.SOCK_STREAM | libc.SOCK_NONBLOCK, 0);
  try {
    libc.connect(socket, socketAddress(path));
    const [pid = 0] = new Uint32Array(libc.peerCredentials(socket).buffer);
    return pid === 0 ? undefined : pid;
  } finally {
    closeSync(socket);
  }
}

/** `struct sockaddr_un` */
function socketAddress(path: string): Uint8Array {
  const name = new TextEncoder().encode(path);
  const address = new Uint8Array(PATH_OFFSET + name.length + 1);
  new DataView(address.buffer).setUint16(0, AF_UNIX, endianness() === "LE");
  address.set(name, PATH_OFFSET);
  return address;
}
