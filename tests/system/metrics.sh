#!/usr/bin/env bash
# metrics counts what was asked for by how it ended, exactly, and agrees with what the tree says.
. "${0%/*}/functions.sh"
. "${0%/*}/metrics_functions.sh"
needs_mounts
start_httpd
start_daemon -o attempts=2

# ended OUTCOME CODE TIMES
ended()
{
    counts "fetches_total{outcome=\"$1\",code=\"$2\"}" "$3"
}

is "time" "$(($(date +%s) - $(stat -c %Y "$mnt/metrics") < 5))" 1
counts "build_info{version=\"$(cat "$mnt/version")\"}" 1
started=$(metric process_start_time_seconds)
[ "${started%.*}" -ge $(($(date +%s) - 60)) ] && [ "${started%.*}" -le "$(date +%s)" ] ||
    fail "started at $started"
ended active "" 0

# One that comes, one that is there already, three that fail, one that is tried again.
web=$(make_image web tar.gz 100)
fetch "$httpd/ok/web.tar.gz" "$web" web
wait_state web ACTIVE
counts downloaded_bytes_total "$(stat -c %s "$www/web.tar.gz")"
counts unpacked_bytes_total "$(info web bytes)"
counts 'cache_hits_total{kind="blob"}' 0
fetch "$httpd/404/web.tar.gz" "$web" again
wait_state again ACTIVE
counts 'cache_hits_total{kind="blob"}' 1
counts 'cache_hits_total{kind="image"}' 0
counts download_duration_seconds_count 1
counts unpack_duration_seconds_count 1
counts activation_duration_seconds_count 2
counts fetch_to_active_seconds_count 2
ended active "" 2
counts download_retries_total 0
sum=$(make_image broken)
fetch "$httpd/404/broken.tar.gz" "$sum" absent
failed_with absent http-status
fetch "$httpd/500/broken.tar.gz" "$sum" broken
failed_with broken http-status
fetch "$httpd/ok/broken.tar.gz" "$(printf %064d 1)" other
failed_with other checksum-mismatch
ended failed http-status 2
ended failed checksum-mismatch 1
counts download_retries_total 2
counts downloaded_bytes_total "$(($(stat -c %s "$www/web.tar.gz") + 2 * $(stat -c %s "$www/broken.tar.gz")))"
fetch "$httpd/500x1/broken.tar.gz" "$sum" broken
wait_state broken ACTIVE
ended active "" 3
counts download_retries_total 3

# One that is cancelled, one that is removed, one that nobody waits for.
sum=$(make_image slow tar.gz 1000)
fetch "$httpd/slow/slow.tar.gz?bps=1000" "$sum" slow
wait_state slow DOWNLOADING
counts images_underway 1
is_at_it()
{
    [ "$(metric 'jobs{pool="download",state="running"}')" = 1 ]
}
eventually 5 is_at_it
succeeds write "$mnt/ctl/cancel" 'slow\n'
ended cancelled cancelled 1
counts images_underway 0
succeeds write "$mnt/ctl/retry" 'slow\n'
succeeds rmdir "$mnt/images/slow"
ended removed "" 1
is "fetches that have ended" "$(metric_sum 'fetches_total{.*}')" 8
succeeds write "$mnt/ctl/deactivate" 'web\n'
succeeds write "$mnt/ctl/activate" 'web\n'
wait_state web ACTIVE
succeeds rmdir "$mnt/images/absent"
is "fetches, of what was none" "$(metric_sum 'fetches_total{.*}')" 8
counts activation_duration_seconds_count 4

# By state, as the client lists them.
"$IMGSTORE" --mount "$mnt" list | awk 'NR > 1 { print $2 }' | sort | uniq -c | while read -r n state; do
    counts "images{state=\"$state\"}" "$n"
done
is "images" "$(metric_sum 'images{.*}')" "$(ls "$mnt/images" | wc -l)"

# What is refused, also of what is no control file; clearing the log clears no count.
counts 'refused_writes_total{errno="EINVAL"}' 0
fails_with EINVAL write "$mnt/ctl/fetch" 'nonsense\n'
fails_with EBUSY write "$mnt/ctl/cancel" 'web\n'
fails_with EEXIST write "$mnt/ctl/fetch" "$httpd/ok/x $(printf %064d 1) web\n"
fails_with ENOENT write "$mnt/ctl/remove" 'nobody\n'
fails_with ENOENT write "$mnt/ctl/remove" 'nobody\n'
fails_with EPERM mkdir "$mnt/new"
fails_with EPERM write "$mnt/metrics" x
succeeds write "$mnt/ctl/error_log" x
for count in EINVAL:1 EBUSY:1 EEXIST:1 ENOENT:2 EPERM:2 ENOSPC:0 other:0; do
    counts "refused_writes_total{errno=\"${count%:*}\"}" "${count#*:}"
done

# What the store holds, as of the last cleanup.
eventually 10 nothing_left_over
succeeds write "$mnt/ctl/cleanup" 'dry-run\n'
counts blobs "$(ls "$store/blobs" | wc -l)"
counts blob_bytes "$(cat "$store"/blobs/* | wc -c)"
counts unpacked_images "$(ls "$store/images" | wc -l)"
succeeds rmdir "$mnt/images/broken"
succeeds write "$mnt/ctl/cleanup" 'run\n'
counts blobs "$(ls "$store/blobs" | wc -l)"
counts blob_bytes "$(stat -c %s "$www/web.tar.gz")"
counts unpacked_images 1

# The disk and the health are those of health's last look.
counts health 1
is "size" "$(metric store_size_bytes)" "$(($(stat -f -c '%b * %S' "$store")))"
is "inodes" "$(metric store_inodes)" "$(stat -f -c %c "$store")"
[ "$(metric store_free_bytes)" -gt 0 ] && [ "$(metric store_free_inodes)" -gt 0 ] ||
    fail "nothing is free"
is "lines that end in a time, or in nothing" "$(grep -vcE '^# |^[a-z_]+({[^}]*})? [0-9.]+$' "$mnt/metrics" || true)" 0

# A log line each failure, with the image as a field.
for name in absent broken other; do
    is "failures of $name" "$(grep -c " warn .*image=$name .*code=" "$log")" 1
done
stop_daemon
start_daemon -o min_free=100000T
unwell()
{
    [ "$(metric health)" = 0 ]
}
eventually 15 unwell
