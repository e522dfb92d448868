#!/usr/bin/env bash
# A write takes 64 KiB at most; more is E2BIG and nothing of it takes effect.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon

sum=$(make_image web)
pad()
{
    local line="$httpd/ok/web.tar.gz $sum $1"
    printf '%s\n' "$line"
    head -c $(($2 - ${#line} - 1)) /dev/zero | tr '\0' '\n'
}
pad full 65536 >"$work/full"
pad more 65537 >"$work/more"
pad huge 1000000 >"$work/huge"
is "size" "$(stat -c %s "$work/full")" 65536
refuses E2BIG ctl/fetch write "$mnt/ctl/fetch" "@$work/more"
refuses E2BIG ctl/fetch write "$mnt/ctl/fetch" "@$work/huge"
refuses E2BIG ctl/remove write "$mnt/ctl/remove" "@$work/huge"
succeeds write "$mnt/ctl/fetch" "@$work/full"
wait_state full ACTIVE
is "images" "$(ls "$mnt/images")" full
