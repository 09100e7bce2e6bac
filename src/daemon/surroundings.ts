/**
 * What a process inherits and what would otherwise make the daemon and its children behave differently. Node itself takes
 * care of signals that were blocked or ignored, of descriptors that are closed or passed on, and of the limit of open
 * files;
 * `commandEnvironment` and `ExecCheck` take care of variables.
 */
export function leaveSurroundings(): void {
  // What is for us alone gets a mode that says so. Other accounts, such as ExaBGP's, can pass the directories above it but
  // write in none.
  process.umask(0o022);
  // Every command fails in a directory that was removed, and a directory that a process is in can't be unmounted.
  process.chdir("/");
}
