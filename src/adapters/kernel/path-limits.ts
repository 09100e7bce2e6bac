/** How long paths may be on Linux. */

/** `sun_path` of `sockaddr_un`, without the final NUL, which Node can do without and other programs can't. */
const SOCKET_PATH_BYTES = 107;
/** `NAME_MAX`. */
const NAME_BYTES = 255;

/** Why a file at this absolute path can't be made or reached; `undefined` if the path is short enough. */
export function faultOfPath(path: string): string | undefined {
  const name = path.split("/").find((part) => Buffer.byteLength(part) > NAME_BYTES);
  return name && `${path} has a name of ${Buffer.byteLength(name)} bytes; at most ${NAME_BYTES} are possible`;
}

/** The same for a Unix socket. */
export function faultOfSocketPath(path: string): string | undefined {
  const length = Buffer.byteLength(path);
  if (length <= SOCKET_PATH_BYTES) return undefined;
  return `${path} is too long for the path of a socket: it has ${length} bytes, ${SOCKET_PATH_BYTES} are possible`;
}
