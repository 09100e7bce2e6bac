import { lstat, mkdir, unlink } from "node:fs/promises";
import { connect } from "node:net";
import { dirname } from "node:path";

/**
 * Makes sure that a server can listen on a Unix socket: creates its directory, and removes the socket file that a killed
 * daemon left. Throws where something else is in the way, a living daemon first of all.
 */
export async function clearSocketPath(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const stats = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (stats === undefined) return;
  if (!stats.isSocket()) throw new Error(`${path} exists and is not a socket`);
  if (await isAnswered(path)) throw new Error(`another daemon listens on ${path}`);
  await unlink(path);
}

/** Whether a process listens; `false` only if it is certain that none does. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const settle = (answered: boolean) => {
      socket.destroy();
      resolve(answered);
    };
    socket.once("connect", () => settle(true));
    socket.once("error", (error: NodeJS.ErrnoException) => settle(error.code !== "ECONNREFUSED"));
  });
}
