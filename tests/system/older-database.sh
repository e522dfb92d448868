#!/usr/bin/env bash
# A database from a backup does not know of images that have come since: what was written to their
# layers is kept aside, and the name can be used again; the layer of a removed image is not kept.
. "${0%/*}/functions.sh"
needs_mounts
needs_program sqlite3
start_httpd
start_daemon
active early
sqlite3 "$db" "VACUUM INTO '$work/backup.db'"
active late
echo mine >"$mnt/images/late/rootfs/etc/mine"
stop_daemon
rm -f "$db" "$db"-*
cp "$work/backup.db" "$db"

start_daemon
wait_state early ACTIVE
is "images" "$(ls "$mnt/images")" early
kept=$store/overlays/.kept-late-1
is "what was written" "$(cat "$kept/upper/etc/mine")" mine
grep -q "image=late .*kept in .*/overlays/.kept-late-1" "$log" || fail "nothing is said"
matches health "$(cat "$mnt/health")" "kept layers: 1 .*$store/overlays/\.kept-\*.*"
active late
[ ! -e "$mnt/images/late/rootfs/etc/mine" ] || fail "the new image shows the old one's layer"
echo second >"$mnt/images/late/rootfs/etc/mine"
stop_daemon
rm -f "$db" "$db"-*
cp "$work/backup.db" "$db"
start_daemon
is "the first" "$(cat "$kept/upper/etc/mine")" mine
is "the second" "$(cat "$store/overlays/.kept-late-2/upper/etc/mine")" second

# The crash that came between a removal and its layer's: that one is older than the removal.
mkdir -p "$work/left/upper"
sleep 0.1
succeeds write "$mnt/ctl/remove" 'early\n'
stop_daemon
mv "$work/left" "$store/overlays/early"
start_daemon
nothing_half_done
is "layers" "$(ls -A "$store/overlays" | tr '\n' ' ')" ".kept-late-1 .kept-late-2 .snap "

# One that has come after a removal, of which only a newer database would know.
mkdir -p "$store/overlays/early/upper"
active early
[ -d "$store/overlays/.kept-early-1/upper" ] || fail "fetching the name has taken a layer away"
rm -r "$store"/overlays/.kept-*
well()
{
    read_value health && [ "$value" = ok ]
}
eventually 15 well
