#!/usr/bin/env bash
# imgstore shell leaves no trace in an image, and follows none of its links out of it.
. "${0%/*}/functions.sh"
. "${0%/*}/client_functions.sh"
needs_mounts
needs_program busybox
start_httpd
start_daemon -o policy=faithful
make_system bad
t=$work/trees/bad
mkdir "$work/outside"
echo untouched >"$work/outside/file"

# Links where there should be folders, to where they must not lead.
rm -r "$t"/{dev,tmp,run,proc}
ln -s / "$t/dev"
ln -s "$work/outside" "$t/run"
ln -s ../../../../../../..$work/outside "$t/tmp"
ln -sf "$work/outside/file" "$t/etc/resolv.conf"
fetch "$httpd/ok/bad.tar.gz" "$(pack bad tar.gz)" bad
wait_state bad ACTIVE
exits 0 "$IMGSTORE" shell bad cat /etc/resolv.conf
is "resolv.conf" "$out" "$(cat /etc/resolv.conf)"
is "what is said" "$err" "imgstore: bad: it goes without /proc /dev /run /tmp: the image has nothing there to mount on"
is "the layer" "$(upper bad)" ""
is "outside" "$(ls "$work/outside")$(cat "$work/outside/file")" fileuntouched

# Nothing at all of it there, as in an image of one program.
mkdir -p "$work/trees/bare"
cp "$(command -v busybox)" "$work/trees/bare/echo"
fetch "$httpd/ok/bare.tar.gz" "$(pack bare tar.gz)" bare
wait_state bare ACTIVE
exits 0 "$IMGSTORE" shell bare /echo hello
is "its one program" "$out" hello
matches "what it goes without" "$err" ".* /proc /sys /dev /run /tmp: .*"
is "the layer" "$(upper bare)" ""
exits 127 "$IMGSTORE" shell bare
matches "no shell" "$err" '.*it has no shell: name a command that it has'

# An fd that was open outside is no way out.
exec 7<"$work/outside"
exits 1 "$IMGSTORE" shell bad ls /proc/self/fd/7/ 7<&7
exec 7<&-
exits 0 "$IMGSTORE" deactivate bad bare
