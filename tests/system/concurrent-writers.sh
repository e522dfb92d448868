#!/usr/bin/env bash
# Eight processes write at once: each write takes effect whole, exactly one fetch of a name wins.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon

sum=$(make_image web)
writer()
{
    "$python" -SE - "$mnt" "$httpd/ok/web.tar.gz" "$sum" "$1" <<'END'
import errno, os, sys
mnt, url, sum, me = sys.argv[1:]
taken = refused = 0
for i in range(25):
    for name, digest in (("own-%s-%d" % (me, i), sum), ("race-%d" % i, "%064x" % int(me))):
        fd = os.open(mnt + "/ctl/fetch", os.O_WRONLY)
        try:
            os.write(fd, ("%s %s %s\n" % (url, digest, name)).encode())
            taken += 1
        except FileExistsError:
            refused += 1
        os.close(fd)
print(taken, refused)
END
}
pids=()
for i in {1..8}; do
    writer "$i" >"$work/writer-$i" &
    pids+=($!)
done
in_background "${pids[@]}"
for p in "${pids[@]}"; do
    wait "$p" || fail "a writer failed"
done
is "writes taken and refused" "$(awk '{ t += $1; r += $2 } END { print t, r }' "$work"/writer-*)" "225 175"
is "images" "$(ls "$mnt/images" | wc -l)" 225
for i in {1..8}; do
    wait_state "own-$i-24" ACTIVE 30
done
