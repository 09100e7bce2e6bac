import { closeSync, constants, openSync } from "node:fs";
import { endianness } from "node:os";
import { INTERFACE_NAME_LENGTH, interfaceRequest, type Libc } from "./libc.ts";

/** Of <linux/if_tun.h>; equal on all platforms of Linux that Node runs on. */
const IFF_TUN = 0x0001;
const IFF_NO_PI = 0x1000;

/**
 * Makes a TUN interface, or takes one that is there and that nobody has open. Returns its descriptor. With the last one closed
 * the interface is gone, unless it is persistent.
 *
 * @throws SystemCallError without CAP_NET_ADMIN (`EPERM`), or where somebody has an interface of this name (`EBUSY`)
 */
export function openTun(libc: Libc, name: string, { isPersistent }: { readonly isPersistent: boolean }): number {
  const descriptor = openSync("/dev/net/tun", constants.O_RDWR);
  try {
    const request = interfaceRequest(name);
    new DataView(request.buffer).setUint16(INTERFACE_NAME_LENGTH, IFF_TUN | IFF_NO_PI, endianness() === "LE");
    libc.ioctl(descriptor, libc.TUNSETIFF, request);
    // The kernel looks at no more of the argument than whether it is 0, which a pointer is not.
    if (isPersistent) libc.ioctl(descriptor, libc.TUNSETPERSIST, new Uint8Array(4));
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}
