/** Checks whether the files that a member makes or reaches, most of which are not in the configuration, are possible. */
import { faultOfWord } from "../adapters/advertiser/exabgp/exabgp-config.ts";
import { runtimeFiles } from "../adapters/advertiser/exabgp/runtime-directory.ts";
import { faultOfPath, faultOfSocketPath } from "../adapters/kernel/path-limits.ts";
import { faultOfDatabasePath, storePaths } from "../adapters/store/paths.ts";
import { type MemberPaths, memberPaths } from "./derived.ts";
import type { Draft } from "./draft.ts";
import type { Path } from "./place.ts";
import type { Problems } from "./problem.ts";
import type { ConfigFile } from "./schema.ts";

/** A file, what leads to it, and why it can't be. */
interface DerivedFile {
  readonly key: Path;
  readonly path: string;
  readonly faultOf?: (path: string) => string | undefined;
}

/** Of all members, unless it is known which one this is. */
export function checkPaths({ source, sections }: Draft, node: string | undefined, problems: Problems): void {
  const { advertiser, "data-directory": dataDirectory, "control-socket": controlSocket } = sections;
  if (advertiser === undefined || dataDirectory === undefined || controlSocket === undefined) return;
  const ids = node === undefined ? (sections.members ?? []).map(({ id }) => id) : [node];
  const reported = new Set<string>();
  for (const id of ids) {
    const paths = memberPaths(
      source,
      { advertiser, "data-directory": dataDirectory, "control-socket": controlSocket },
      id,
    );
    for (const { key, fault } of faultsOf(derivedFiles(paths, advertiser))) {
      // The first member that it is true of is enough.
      if (reported.has(key.join())) continue;
      reported.add(key.join());
      problems.error(source, key, fault);
    }
  }
}

function faultsOf(files: readonly DerivedFile[]): { readonly key: Path; readonly fault: string }[] {
  const seen = new Map<string, Path>();
  return files.flatMap(({ key, path, faultOf }) => {
    const earlier = seen.get(path);
    seen.set(path, key);
    const fault = faultOfPath(path) ?? faultOf?.(path);
    if (fault !== undefined) return [{ key, fault }];
    return earlier === undefined ? [] : [{ key, fault: `${path} is also what ${earlier.join(".")} leads to` }];
  });
}

function derivedFiles(paths: MemberPaths, advertiser: ConfigFile["advertiser"]): readonly DerivedFile[] {
  const files: DerivedFile[] = [
    ...Object.values(storePaths(paths.dataDirectory)).map((path) => ({
      key: ["data-directory"],
      path,
      faultOf: faultOfDatabasePath,
    })),
    { key: ["control-socket"], path: paths.controlSocket, faultOf: faultOfSocketPath },
  ];
  if (advertiser.type === "ospf") {
    files.push({ key: ["advertiser", "vty-directory"], path: paths.vtySocket, faultOf: faultOfSocketPath });
  }
  if (advertiser.type === "exabgp") {
    const isNamed = advertiser["runtime-directory"] !== undefined;
    const key = isNamed ? ["advertiser", "runtime-directory"] : ["control-socket"];
    const { socket, ...others } = runtimeFiles(paths.exabgpDirectory);
    files.push({ key, path: socket, faultOf: (path) => faultOfSocketPath(path) ?? faultOfWord(path) });
    files.push(...Object.values(others).map((path) => ({ key, path, faultOf: faultOfWord })));
  }
  return files;
}
