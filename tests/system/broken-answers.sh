#!/usr/bin/env bash
# Answers that are cut, malformed or lie end FAILED, and the daemon goes on.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon -o stall_timeout=3s,attempts=2,max_download_size=4M

n=0
bad()
{
    local name
    n=$((n + 1)) name=bad-$n
    sum=$(make_image "$name" tar.gz 100)
    fetch "$httpd/$1/$name.tar.gz$2" "$sum" "$name"
    names+=("$name:$1$2:$3")
}
names=()
net='(unreachable|timeout|http-status|io)'
# What is whole and of the right digest may be taken, however it came.
bad truncate '' "$net"
bad reset '' "$net"
bad drop '' "$net"
bad badchunk '' "$net"
bad truncchunk '' "$net|ACTIVE"
bad http09 '' "$net"
bad badstatus '' "$net"
bad header-endless '' "$net"
bad lie-length '?d=1000' "$net|ACTIVE"
bad lie-length '?d=-50000' "$net|checksum-mismatch"
bad bad-length '' "$net|ACTIVE"
bad huge-length '' "$net|too-large-download"
bad endless '' too-large-download
bad endless-chunked '' too-large-download
bad empty '' "checksum-mismatch|$net"
bad html '' checksum-mismatch
for one in "${names[@]}"; do
    IFS=: read -r name mode codes <<<"$one"
    done_with()
    {
        read_value "images/$name/state"
        [ "$value" = FAILED ] || [ "$value" = ACTIVE ]
    }
    eventually 30 done_with
    code=$(sed 's/:.*//' "$mnt/images/$name/error")
    matches "$mode's outcome" "${code:-$value}" "$codes"
done
alive
active good
[ "$(du -sm "$store/blobs" | cut -f1)" -lt 8 ] || fail "the store keeps what was thrown away"
