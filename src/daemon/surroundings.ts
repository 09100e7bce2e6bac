/**
 * What a process has from whoever started it, and what the daemon and its children would otherwise do differently for. Node
 * itself sees to signals that were blocked or ignored, to descriptors that are closed or passed on, and to the limit of open
 * files; `commandEnvironment` and `ExecCheck` to variables.
 */
export function leaveSurroundings(): void {
  // What is for us alone is made so, by its mode. Other accounts, as ExaBGP's, pass the directories above it, and write in none.
  process.umask(0o022);
  // One that was removed fails every command that is run in it, and one that is stood in can't be unmounted.
  process.chdir("/");
}
