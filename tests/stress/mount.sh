#!/bin/bash
# The daemon over a real mount while many read and write at once; in a build with a sanitizer its log
# must hold no finding. STRESS_SECONDS says for how long (8).
. "${0%/*}/../system/functions.sh"
needs_mounts
. "${0%/*}/findings.sh"
seconds=${STRESS_SECONDS-8} images=6

mkdir "$work/tree" "$work/tree/etc"
sums=()
for i in 0 1 2; do
    echo "$i" >"$work/tree/etc/number"
    head -c 300000 /dev/urandom >"$work/tree/data"
    tar -C "$work/tree" -czf "$www/$i.tar.gz" .
    sums[i]=$(sha256sum <"$www/$i.tar.gz" | cut -d' ' -f1)
done
start_httpd
start_daemon -o queue=1000

until_over()
{
    while [ ! -e "$work/over" ]; do
        "$@" || true
    done 2>/dev/null
}

# Each image is asked for everything; what is refused is refused.
write_much()
{
    local name=image-$((RANDOM % images)) modes=(ok ok ok slow 404 truncate hang) i
    i=$((${name#image-} % 3))
    case $((RANDOM % 9)) in
    0 | 1 | 2) echo "$httpd/${modes[RANDOM % 7]}/$i.tar.gz ${sums[i]} $name" >"$mnt/ctl/fetch" ;;
    3) echo "$name" >"$mnt/ctl/remove" ;;
    4) echo "$name" >"$mnt/ctl/cancel" ;;
    5) echo "$name" >"$mnt/ctl/retry" ;;
    6) echo "$name" >"$mnt/ctl/activate" ;;
    7) echo "$name" >"$mnt/ctl/deactivate" ;;
    8) rmdir "$mnt/images/$name" ;;
    esac
}

write_nonsense()
{
    printf 'nonsense\n' >"$mnt/ctl/fetch"
    echo run >"$mnt/ctl/cleanup"
    echo >"$mnt/ctl/error_log"
    touch "$mnt/images/x"
    sleep 0.05
}

read_files()
{
    cat "$mnt"/images/*/{state,progress,error,info} "$mnt"/{README,health,metrics,version} \
        "$mnt"/ctl/{fetch,cleanup,error_log} >/dev/null
}

walk()
{
    find "$mnt" -ls >/dev/null
    ls -lR "$mnt" >/dev/null
}

# What is ACTIVE is whole: whoever gets in finds the image's number there.
look_inside()
{
    local i number
    for ((i = 0; i < images; i++)); do
        number=$(cat "$mnt/images/image-$i/rootfs/etc/number") || continue
        [ "$number" = $((i % 3)) ] || echo "image-$i holds $number" >>"$work/wrong"
    done
}

workers=()
for job in write_much write_much write_much write_nonsense read_files read_files walk look_inside; do
    until_over "$job" &
    workers+=($!)
done
active=0
for ((end = SECONDS + seconds; SECONDS < end;)); do
    sleep 0.2
    active=$((active + $(cat "$mnt"/images/*/state 2>/dev/null | grep -cx ACTIVE || true)))
done
touch "$work/over"
wait "${workers[@]}"

alive
[ $active -gt 0 ] || fail "nothing was ever ACTIVE"
[ ! -e "$work/wrong" ] || fail "$(cat "$work/wrong")"
for name in $(ls "$mnt/images"); do
    eventually 20 rmdir "$mnt/images/$name"
done
is "images/" "$(ls "$mnt/images")" ""
echo "$active times ACTIVE"
stop_without_findings 20
