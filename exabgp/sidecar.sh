#!/bin/sh
# Runs ExaBGP beside a daemon whose advertiser has `mode: sidecar`, in the same network namespace: as the command of a
# container, or under any supervisor that starts it again when it ends.
#
#     sidecar.sh DIRECTORY
#
# DIRECTORY is the daemon's `runtime-directory`, at the same path here as there. docs/advertiser.md has the rest.
set -eu
directory=${1:?the directory that is shared with the daemon}
trap 'exit 0' TERM INT

# The daemon writes these when it starts, and takes them away when it stops.
until [ -r "$directory/exabgp.conf" ] && [ -r "$directory/exabgp.env" ] && [ -S "$directory/helper.sock" ]; do
  sleep 0.2
done

# ExaBGP only dials: it needs no privilege, but the group that the daemon shares the directory with.
user=$(id -un)
if [ "$(id -u)" = 0 ] && id exabgp >/dev/null 2>&1; then
  user=exabgp
  set -- setpriv --reuid=exabgp --regid=exabgp --groups="$(stat -c %g "$directory")" --no-new-privs
else
  set -- setpriv --no-new-privs
fi

# Both 4.2 and 5 read the file; 5 knows neither of these options.
set -- "$@" --pdeathsig=KILL -- env "exabgp.daemon.user=$user" PATH="$PATH:/usr/sbin:/sbin"
if PATH="$PATH:/usr/sbin:/sbin" exabgp --version >/dev/null 2>&1; then
  set -- "$@" exabgp --env "$directory/exabgp.env" "$directory/exabgp.conf"
else
  set -- "$@" EXABGP_ENVFILE="$directory/exabgp.env" exabgp server "$directory/exabgp.conf"
fi

# As a child, not in place of this shell: in a container that would make it process 1, which the helper can't kill.
"$@" &
speaker=$!
trap 'kill -TERM "$speaker" 2>/dev/null' TERM INT
status=0
wait "$speaker" || status=$?
# A signal to this shell ends the first `wait`, not ExaBGP.
while kill -0 "$speaker" 2>/dev/null; do wait "$speaker" || status=$?; done
exit "$status"
