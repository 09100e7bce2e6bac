/** Poses as the guard of ospfd, and says what is no report. */
process.stdout.write("{}\nwho is there?\n");
process.stdin.resume();
