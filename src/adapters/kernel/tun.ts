import { closeSync, constants, openSync } from "node:fs";
import { endianness } from "node:os";
import { INTERFACE_NAME_LENGTH, interfaceRequest, type Libc } from "./libc.ts";

/** Of <linux/if_tun.h>; equal on all platforms of Linux that Node runs on. */
const IFF_TUN = 0x0001;
const IFF_NO_PI = 0x1000;

/**
 * Makes a TUN interface, or takes an existing one that no process has open. Returns its descriptor. When the last
 * descriptor is closed, the interface goes, unless it is persistent. Reading and writing do not
 * block.
 *
 * @throws SystemCallError without CAP_NET_ADMIN (`EPERM`), or if another process has an interface of this name (`EBUSY`)
 */
export function openTun(libc: Libc, name: string, { isPersistent }: { readonly isPersistent: boolean }): number {
  const descriptor = openSync("/dev/net/tun", constants.O_RDWR | constants.O_NONBLOCK);
  try {
    const request = interfaceRequest(name);
    new DataView(request.buffer).setUint16(INTERFACE_NAME_LENGTH, IFF_TUN | IFF_NO_PI, endianness() === "LE");
    libc.ioctl(descriptor, libc.TUNSETIFF, request);
    // The kernel only checks whether the argument is 0, which a pointer is not.
    if (isPersistent) libc.ioctl(descriptor, libc.TUNSETPERSIST, new Uint8Array(4));
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}
