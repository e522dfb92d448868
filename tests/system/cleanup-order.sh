#!/usr/bin/env bash
# cleanup-order MIN_FREE: when less than that is free, what is unused goes at once, by itself: oldest
# use first, of one digest the blob before the image, no more than is needed, and nothing that a name
# refers to.
. "${0%/*}/functions.sh"
. "${0%/*}/disks.sh"
needs_mounts
start_httpd
small_disk 128
store=$disk/store
start_daemon -o "min_free=$1,sink=dir"
case $1 in
*%) floor=$(($(stat -f -c '%b * %S' "$disk") / 100 * ${1%\%})) ;;
*) floor=$((${1%M} << 20)) ;;
esac

free()
{
    echo $(($(stat -f -c '%a * %S' "$disk")))
}

# lack KIB: so much less than min_free is left.
lack()
{
    local take=$(($(free) - floor + $1 * 1024))
    [ $take -gt 0 ] || fail "there is little room as it is: $(free)"
    head -c $take /dev/zero >>"$disk/fill"
    sync -f "$disk"
}

# What there is: "a.blob a.image …".
stored()
{
    local name out=()
    for name in a b c used; do
        [ -z "$(compgen -G "$store/blobs/${sums[$name]}.tar.gz")" ] || out+=("$name.blob")
        [ ! -d "$store/images/${sums[$name]}" ] || out+=("$name.image")
    done
    echo "${out[*]}"
}

stored_is()
{
    [ "$(stored)" = "$1" ]
}

room_again()
{
    [ "$(free)" -ge "$floor" ]
}

declare -A sums
for name in b a c used; do
    sums[$name]=$(make_image $name tar.gz 6000)
    fetch "$httpd/ok/$name.tar.gz" "${sums[$name]}" $name
    wait_state $name ACTIVE
done
# The use counts, not when it came.
for name in a b c; do
    sleep 0.05
    succeeds rmdir "$mnt/images/$name"
done
nothing_half_done
is "what is there" "$(stored)" "a.blob a.image b.blob b.image c.blob c.image used.blob used.image"

lack 3000
eventually 15 room_again
eventually 5 stored_is "a.image b.blob b.image c.blob c.image used.blob used.image"
matches "ctl/cleanup" "$(cat "$mnt/ctl/cleanup")" \
    $'removed blob '"${sums[a]}"$'\.tar\.gz [0-9]+\ntotal 1 [0-9]+'
lack 9000
eventually 15 room_again
eventually 5 stored_is "b.image c.blob c.image used.blob used.image"

# There is not so much that could go.
lack 25000
eventually 15 stored_is "used.blob used.image"
unwell()
{
    read_value health && [[ $value == "free space: "*" bytes in $(realpath "$store"), less than min_free="* ]]
}
eventually 15 unwell
case $1 in
*%) matches health "$value" ".* less than min_free=$1, $floor bytes" ;;
*) matches health "$value" ".* less than min_free=$floor" ;;
esac
same_tree used
rm "$disk/fill"
well()
{
    [ "$(cat "$mnt/health")" = ok ]
}
eventually 15 well
nothing_half_done
