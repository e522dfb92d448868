#!/usr/bin/env bash
# Offsets, O_TRUNC, O_APPEND and O_CREAT mean nothing to a control file; truncate to 0 succeeds.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon

sum=$(make_image web)
line="$httpd/ok/web.tar.gz $sum"
succeeds write -a "$mnt/ctl/fetch" "$line append\n"
succeeds write -t "$mnt/ctl/fetch" "$line trunc\n"
succeeds write -a -t -c -r "$mnt/ctl/fetch" "$line all\n"
succeeds write -o 12345 "$mnt/ctl/fetch" "$line offset\n"
fails_with 'OK OK' write -a "$mnt/ctl/fetch" "$line first\n" "$line second\n"
succeeds truncate "$mnt/ctl/fetch" 0
echo "$line echo" >>"$mnt/ctl/fetch"
for name in append trunc all offset first second echo; do
    wait_state "$name" ACTIVE
done
# The second half of a line at an offset is no second half.
refuses EINVAL ctl/fetch write "$mnt/ctl/fetch" "$line"' x y'
refuses EINVAL ctl/fetch write -o 10 "$mnt/ctl/fetch" 'half\n'
# Opening, and closing without a write, asks for nothing.
: >"$mnt/ctl/fetch"
succeeds open 'O_RDWR|O_TRUNC' "$mnt/ctl/remove"
is "images" "$(ls "$mnt/images" | wc -l)" 7
is "size" "$(stat -c %s "$mnt/ctl/fetch")" "$(wc -c <"$mnt/ctl/fetch")"
