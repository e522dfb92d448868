#!/usr/bin/env bash
# lost-data HOW: a download that has its name but lost its data with the power (cut to nothing, cut in
# half, or zeros) is found and fetched again; so it is for all names that wait for it.
. "${0%/*}/functions.sh"
needs_mounts
needs_test_points
needs_program sqlite3
start_httpd

sum=$(make_image web tar.gz 300)
hold DOWNLOADED
start_daemon
succeeds write "$mnt/ctl/fetch" \
    "$httpd/ok/web.tar.gz $sum web\n$httpd/ok/web.tar.gz $sum twin\n$httpd/ok/web.tar.gz $sum third\n"
for name in web twin third; do
    wait_state $name DOWNLOADED
done
kill_daemon
blob=$store/blobs/$sum.tar.gz
size=$(stat -c %s "$blob")
case $1 in
empty) truncate -s 0 "$blob" ;;
half) truncate -s $((size / 2)) "$blob" ;;
zeros) truncate -s 0 "$blob" && truncate -s "$size" "$blob" ;;
esac
another_boot
release DOWNLOADED
start_daemon
for name in web twin third; do
    wait_state $name ACTIVE
    same_tree $name web
    is "error" "$(cat "$mnt/images/$name/error")" ""
done
is "the download" "$(digest "$blob")" "$sum"
is "requests" "$(asked ok/web.tar.gz)" 2
nothing_half_done
stop_daemon
