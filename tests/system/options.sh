#!/usr/bin/env bash
# Options: long or -o, from the environment too; a wrong one is refused with a line that names it.
. "${0%/*}/functions.sh"
needs_mounts

"$IMGSTOREFS" --help >"$work/help"
for option in db store log-level log-format policy sink downloads host-downloads unpacks queue \
    max-files max-file-size max-total-size max-download-size connect-timeout stall-timeout attempts retry-delay retry-max \
    keep-unused keep-events min-free ctl-group helper; do
    grep -qwe "${option//-/[-_]}" "$work/help" || fail "--help does not name $option"
done
grep -q IMGSTORE_STORE_PATH "$work/help" || fail "--help does not name the environment"

refuses()
{
    local word=$1 status=0
    shift
    timeout 10 "$IMGSTOREFS" -f -o "db=$db,store=$store,helper=$IMGSTORE_HELPER" "$@" "$mnt" \
        >"$work/out" 2>&1 || status=$?
    case $status in 0 | 124) fail "runs with $*" ;; esac
    grep -qe "${word//_/[-_]}" "$work/out" || fail "does not name $word: $(cat "$work/out")"
}
refuses no_such -o no_such=1
refuses no-such --no-such=1
refuses downloads -o downloads=0
refuses downloads -o downloads=many
refuses downloads -o downloads=99999999999999999999
refuses max_files -o max_files=-1
refuses max_file_size -o max_file_size=10Q
refuses stall_timeout -o stall_timeout=5x
refuses policy -o policy=lax
refuses keep_events -o keep_events=4095
refuses sink -o sink=nonsense
refuses log_level -o log_level=loud
refuses log_format -o log_format=xml
refuses ctl_group -o ctl_group=no-such-group-here
status=0
timeout 10 "$IMGSTOREFS" -f >/dev/null 2>&1 || status=$?
[ $status != 0 ] || fail "runs without a mount point"

# Long options with dashes, and the environment's names; the command line wins.
export IMGSTORE_DB_PATH=$work/env.db IMGSTORE_STORE_PATH=$work/env-store IMGSTORE_LOG_LEVEL=debug
"$IMGSTOREFS" -f --helper="$IMGSTORE_HELPER" --max-files 77 --store "$work/arg-store" "$mnt" \
    >"$log" 2>&1 </dev/null &
daemon_pid=$!
eventually 10 test -e "$mnt/version"
[ -e "$work/env.db" ] || fail "IMGSTORE_DB_PATH is not heard"
[ -d "$work/arg-store/blobs" ] || fail "--store is not heard"
[ ! -e "$work/env-store" ] || fail "the environment wins over the command line"
is "mode of the store" "$(stat -c %a "$work/arg-store")" 700
stop_daemon
