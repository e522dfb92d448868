#!/usr/bin/env bash
# Whatever a server does, it ends with its code and in time, and the server was asked no more often
# than three times (once more, from scratch, for a wrong digest; once where the request is at fault).
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
limits=connect_timeout=20s,retry_max=1s,max_download_size=4M,downloads=16,host_downloads=16
# A machine that is busy is not to be taken for a server that stalls.
start_daemon -o stall_timeout=20s,$limits

n=0 rows=()
# try MODE[?QUERY] OUTCOME REQUESTS [FILE]: FILE no: the mode serves none. REQUESTS: at most.
try()
{
    local name=a$n mode=${1%%\?*} query='' file
    n=$((n + 1))
    [[ $1 != *\?* ]] || query=?${1#*\?}
    sum=$(make_image "$name" tar.gz 60)
    file=/$name.tar.gz
    [ "${4-}" != no ] || file=''
    fetch "$httpd/$mode$file$query" "$sum" "$name"
    rows+=("$name $mode$file $2 $3")
}
try ok ACTIVE 1
try range ACTIVE 1
try nolength ACTIVE 1
try closelength ACTIVE 1
try continue ACTIVE 1
try cookie ACTIVE 1
try disposition ACTIVE 1
try gzip-encoding ACTIVE 1
try 'slow?bps=40000' ACTIVE 1
# Never two versions in one file.
try rangetrunc ACTIVE 2
try etagchange ACTIVE 2
try weaktag ACTIVE 2
try notag ACTIVE 2
try sametag ACTIVE 3
try rangeignore ACTIVE 2
for how in offset total garbage none etag; do
    try "rangelie?how=$how" ACTIVE 3
done
for fault in truncate reset drop badchunk; do
    try "$fault" unreachable 3
    try "${fault}x2" ACTIVE 3
done
for code in 500 502 503 504 408 429; do
    try "$code" http-status 3
    try "${code}x2" ACTIVE 3
done
for code in 400 401 403 404 410 451 201 204 304 305; do
    try "$code" http-status 1
done
try 206 http-status 3
try '503x1?after=999999999' ACTIVE 2
for code in 301 302 303 307 308; do
    try "redirect/$code" ACTIVE 1
done
try redirect-chain/10 ACTIVE 1
try redirect-chain/11 http-status 1
try redirect-loop http-status 11 no
try redirect-none http-status 1 no
for url in file:///etc/hostname ftp://127.0.0.1/x gopher://127.0.0.1/x http://169.254.169.254/x \
    'http://[fe80::1]/x' http://unix:/run/x.sock: 'http://[::bad/'; do
    try "redirect-to?url=$url" '(http-status|unreachable)' 9 no
done
try endless too-large-download 1 no
try endless-chunked too-large-download 1 no
try huge-length too-large-download 1
try 'lie-length?d=1000' 'ACTIVE|unreachable' 3
try 'lie-length?d=-500' checksum-mismatch 2
try bad-length 'ACTIVE|http-status' 3
# Neither is believed; the digest says whether it was all.
try two-lengths 'ACTIVE|checksum-mismatch|http-status|unreachable' 3
try truncchunk 'ACTIVE|unreachable' 3
try gzip-bomb-encoding 'checksum-mismatch' 2 no
try wrong checksum-mismatch 2
try wrongx1 ACTIVE 2
try empty checksum-mismatch 2
try html checksum-mismatch 2
try headers/200 ACTIVE 1
try headers/400 http-status 3
try header-endless http-status 3
try badstatus '(http-status|unreachable)' 3
try http09 '(http-status|unreachable)' 3

ended()
{
    read_value "images/$1/state"
    [ "$value" = FAILED ] || [ "$value" = ACTIVE ]
}
wrong=0
all_end()
{
    local row name path outcome most got requests
    for row in "${rows[@]}"; do
        read -r name path outcome most <<<"$row"
        eventually 60 ended "$name"
        got=$value
        [ "$got" = ACTIVE ] || got=$(cut -d: -f1 "$mnt/images/$name/error")
        requests=$(asked "${path%/}")
        echo "$path: $got, $requests requests"
        if ! [[ $got =~ ^($outcome)$ ]] || [ "$requests" -gt "$most" ] || [ "$requests" -lt 1 ]; then
            echo "FAIL: $path is to be $outcome within $most requests: $(cat "$mnt/images/$name/error")"
            wrong=1
        fi
        [ "$got" != ACTIVE ] || same_tree "$name"
    done
    rows=()
}
all_end
stop_daemon
start_daemon -o stall_timeout=1s,$limits
try stall timeout 3
try hang timeout 3
try slowheader timeout 3
all_end
[ $wrong = 0 ] || fail "a server's fault ends otherwise"
[ "$(du -sm "$store/blobs" | cut -f1)" -lt 12 ] || fail "what was thrown away is kept"
