#!/usr/bin/env bash
# An archive is unpacked while it comes, and nobody sees it: nothing of it is an image before its
# digest has held, a wrong one, a cancel, a removal and a crash leave nothing behind, and it is done
# once.
. "${0%/*}/functions.sh"
. "${0%/*}/watching.sh"
. "${0%/*}/disks.sh"
needs_mounts
needs_test_points
[ -z "${1-}" ] || export IMGSTORE_SINK=$1
start_httpd

# Who looks on while helpers begin.
cat >"$work/helper" <<EOF
#!/bin/sh
echo begun >>"$work/begun"
exec -a imgstore-unpack "$IMGSTORE_HELPER" "\$@"
EOF
sed -i '1s,/bin/sh,/bin/bash,' "$work/helper"
chmod 755 "$work/helper"
real=$IMGSTORE_HELPER
IMGSTORE_HELPER=$work/helper
: >"$work/begun"
begun()
{
    wc -l <"$work/begun"
}
no_helper()
{
    [ -z "$(helpers)" ]
}
helper_runs()
{
    ! no_helper
}
start_daemon

# slowly NAME SUM FILE: three seconds of download, of which one is waited for.
slowly()
{
    fetch "$httpd/slow/$3?bps=$(($(stat -c %s "$www/$3") / 3))" "$2" "$1"
    wait_state "$1" DOWNLOADING
    eventually 5 helper_runs
    eventually 5 part_grows "$2"
}
part_grows()
{
    [ "$(du -s --block-size=1 "$store/images/$1.part" 2>/dev/null | cut -f1)" -gt 100000 ]
}

sum=$(make_image web tar 2000)
slowly web "$sum" web.tar
[ ! -e "$store/images/$sum.part/info" ] || fail "an image whose digest is not known has an info"
[ ! -L "$mnt/images/web/rootfs" ] || fail "an image whose digest is not known is shown"
wait_state web ACTIVE
same_tree web
image=$store/images/$sum/image
[ ! -e "$image" ] || ahead=$(digest "$image")
is "helpers begun" "$(begun)" 1
is "requests" "$(asked slow/web.tar)" 1
nothing_half_done

# The same digest again: nothing to do.
fetch "$httpd/ok/web.tar" "$sum" twin
wait_state twin ACTIVE
is "helpers begun" "$(begun)" 1

# Not what was asked for.
wrong=$(printf 'a%063d' 1)
make_image other tar 2000 >/dev/null
slowly other "$wrong" other.tar
failed_with other checksum-mismatch
eventually 5 no_helper
is "images" "$(ls "$store/images")" "$sum"
nothing_half_done

# Not wanted any more.
third=$(make_image third tar 2000)
slowly third "$third" third.tar
succeeds write "$mnt/ctl/cancel" 'third\n'
eventually 5 no_helper
eventually 5 [ ! -e "$store/images/$third.part" ]
succeeds write "$mnt/ctl/remove" 'third\n'
slowly third "$third" third.tar
succeeds write "$mnt/ctl/remove" 'third\n'
eventually 5 no_helper
nothing_half_done

# Unpacked, and removed before it was taken.
hold DOWNLOADED
fetch "$httpd/ok/third.tar" "$third" third
wait_state third DOWNLOADED
eventually 5 [ -e "$store/images/$third.part" ]
succeeds write "$mnt/ctl/remove" 'third\n'
eventually 5 no_helper
nothing_half_done
release DOWNLOADED

# Cancelled before it was taken: it takes nobody's place, and the next one begins from the download.
hold DOWNLOADED
for n in 1 2 3; do
    cancelled=$(make_image "cancelled$n" tar 2000)
    fetch "$httpd/ok/cancelled$n.tar" "$cancelled" "cancelled$n"
    wait_state "cancelled$n" DOWNLOADED
    eventually 5 [ -e "$store/images/$cancelled.part" ]
    succeeds write "$mnt/ctl/cancel" "cancelled$n\n"
    eventually 5 no_helper
    eventually 5 [ ! -e "$store/images/$cancelled.part" ]
done
nothing_half_done
release DOWNLOADED
succeeds write "$mnt/ctl/retry" 'cancelled1\n'
wait_state cancelled1 ACTIVE
same_tree cancelled1

# What is wrong with an archive is told once it is known to be what was asked for.
printf 'no archive at all, but some bytes\n%.0s' {1..20000} >"$www/bad.tar"
bad=$(digest "$www/bad.tar")
fetch "$httpd/slow/bad.tar?bps=$(($(stat -c %s "$www/bad.tar") / 2))" "$bad" bad
wait_state bad DOWNLOADING
sleep 0.5
is "state" "$(cat "$mnt/images/bad/state")" DOWNLOADING
is "error" "$(cat "$mnt/images/bad/error")" ""
failed_with bad unsupported-format

# A crash in the midst of it.
fourth=$(make_image fourth tar 2000)
slowly fourth "$fourth" fourth.tar
kill_daemon
IMGSTORE_HELPER=$real
start_daemon
wait_state fourth ACTIVE
same_tree fourth
nothing_half_done

# From the blob comes the very same image as from the wire.
if [ -e "$image" ]; then
    for name in web twin; do
        succeeds write "$mnt/ctl/deactivate" "$name\n"
    done
    lose_image "$sum"
    succeeds write "$mnt/ctl/activate" 'web\n'
    failed_with web mount-failed
    succeeds write "$mnt/ctl/retry" 'web\n'
    wait_state web ACTIVE
    is "the image" "$(digest "$image")" "$ahead"
fi
