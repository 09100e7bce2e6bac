import { createSocket } from "node:dgram";
import { once } from "node:events";

/** UDP ports of 127.0.0.1 that are free at the moment. */
export async function freeUdpPorts(count: number): Promise<number[]> {
  const sockets = Array.from({ length: count }, () => createSocket("udp4"));
  try {
    return await Promise.all(
      sockets.map(async (socket) => {
        socket.bind(0, "127.0.0.1");
        await once(socket, "listening");
        return socket.address().port;
      }),
    );
  } finally {
    for (const socket of sockets) socket.close();
  }
}
