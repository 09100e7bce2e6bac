import { mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mustRun } from "../../adapters/kernel/command.ts";

/** Gives a directory a disk of its own, so that it can be filled without harm to the machine. */
export async function mountSmallDisk(directory: string, megabytes: number): Promise<void> {
  mkdirSync(directory, { recursive: true });
  await mustRun(["mount", "-t", "tmpfs", "-o", `size=${megabytes}m,mode=0700`, "anyhome-lab", directory]);
}

/** Takes off every disk that was given to a directory below this one. */
export async function unmountBelow(directory: string): Promise<void> {
  for (const mountPoint of mountPoints()) {
    if (mountPoint.startsWith(`${directory}/`)) await mustRun(["umount", "--lazy", mountPoint]);
  }
}

export function hasDiskOfItsOwn(directory: string): boolean {
  return mountPoints().includes(directory);
}

/** Leaves no room on the disk of a directory. */
export function fillDisk(directory: string): void {
  const { bavail, bsize } = statfsSync(directory);
  const zeros = Buffer.alloc(bsize);
  const file = fillerIn(directory);
  try {
    writeFileSync(file, Buffer.alloc(bavail * bsize));
    for (;;) writeFileSync(file, zeros, { flag: "a" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  }
}

export function freeDisk(directory: string): void {
  rmSync(fillerIn(directory), { force: true });
}

function fillerIn(directory: string): string {
  return join(directory, "filler");
}

function mountPoints(): string[] {
  return readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .flatMap((line) => line.split(" ")[1] ?? []);
}
