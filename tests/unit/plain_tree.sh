# A tree made of plain files, for the client. Source it: . plain_tree.sh IMGSTORE
#   $client the client    $tree the tree    $dir a folder of the test's own    $failed what failed
set -u
export LC_ALL=C.UTF-8
client=$(realpath "$1")
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
unset IMGSTORE_MOUNT
tree=$dir/tree
sha=1111111111111111111111111111111111111111111111111111111111111111
failed=0

image() { # NAME STATE [ERROR]
    local at=$tree/images/$1
    mkdir -p "$at/snapshots"
    printf '%s\n' "$2" >"$at/state"
    printf '%s\n' "42 12582912 29360128 download" >"$at/progress"
    printf '%s' "${3:+$3
}" >"$at/error"
    printf '%s\n' "name $1" "url http://h/x" "sha256 $sha" "state $2" "want active" \
        "policy strict" "sink erofs" "format tar.gz" "size 29360128" "entries 12" "bytes 99" \
        "skipped 0" "attempts 1" "next_retry -" "created 2026-01-02T03:04:05.678Z" \
        "updated 2026-01-02T03:04:05.678Z" >"$at/info"
}

snapshot() { # IMAGE ID STATE
    local at=$tree/images/$1/snapshots/$2
    mkdir -p "$at"
    printf '%s\n' "$3" >"$at/state"
    printf '%s\n' "image $1" "id $2" "state $3" "created 2026-01-02T03:04:05.678Z" \
        "upper_bytes 2048" >"$at/info"
}

event() { # SEQ IMAGE FROM TO [CODE MESSAGE]: null for what is none
    local word words=()
    for word in "$3" "$4" "${5-null}" "${6-null}"; do
        [ "$word" = null ] || word="\"$word\""
        words+=("$word")
    done
    printf '{"seq":%d,"time":"2026-01-02T03:04:0%d.000Z","image":"%s",' "$1" "$1" "$2"
    printf '"from":%s,"to":%s,"code":%s,"message":%s}\n' "${words[@]}"
}

fresh() {
    local f
    rm -rf "$tree"
    mkdir -p "$tree/ctl" "$tree/images"
    for f in fetch remove cancel retry activate deactivate reset cleanup error_log; do
        : >"$tree/ctl/$f"
    done
    echo 1.2.3 >"$tree/version"
    echo ok >"$tree/health"
    : >"$tree/events"
    printf '%s\n' 'imgstorefs_images{state="ACTIVE"} 2' 'imgstorefs_images{state="FAILED"} 1' \
        'imgstorefs_snapshots 1' 'imgstorefs_store_size_bytes 4294967296' \
        'imgstorefs_store_free_bytes 1073741824' >"$tree/metrics"
}

is() { # WHAT GOT DUE
    [ "$2" = "$3" ] && return
    printf 'FAILED %s:\n got %q\n due %q\n' "$1" "$2" "$3"
    failed=$((failed + 1))
}

run() { # CODE ARGS…: runs the client on the tree; its outputs are in $out and $err
    local due=$1
    shift
    out=$("$client" --mount "$tree" "$@" 2>"$dir/err")
    is "exit of $*" $? "$due"
    err=$(cat "$dir/err")
}

json() { # PYTHON-EXPRESSION DUE: of the value `j` in $out
    is "json $1" "$(python3 -c 'import json,sys; j=json.load(sys.stdin); print(eval(sys.argv[1]))' \
        "$1" <<<"$out" 2>&1)" "$2"
}

finish() {
    [ "$failed" -eq 0 ] && echo "all as it should be"
    exit $((failed > 0))
}
