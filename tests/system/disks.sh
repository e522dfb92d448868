# Small disks to fill and to break, for system tests. Source it behind functions.sh.

# small_disk MIB [MKFS OPTIONS]: $disk, an ext4 of that size on $loop, which lies in $disk_image.
small_disk()
{
    needs_program mkfs.ext4 losetup
    disk=$work/disk disk_image=$work/disk.img
    mkdir -p "$disk"
    truncate -s "$1M" "$disk_image"
    mkfs.ext4 -q -F -m 0 "${@:2}" "$disk_image"
    loop=$(losetup -f --show "$disk_image") || skip "needs loop devices"
    mount "$loop" "$disk" || skip "needs to mount ext4"
    losetup -d "$loop" # once it is not mounted any more
}

# fill_up [KIB]: $disk, but for so many.
fill_up()
{
    dd if=/dev/zero of="$disk/fill" bs=64k 2>/dev/null || true
    dd if=/dev/zero of="$disk/fill" bs=512 oflag=append conv=notrunc 2>/dev/null || true
    sync -f "$disk"
    [ "${1:-0}" = 0 ] || truncate -s "-${1}K" "$disk/fill"
    sync -f "$disk"
}

# eat_inodes KEEP: takes all inodes of $disk but so many.
eat_inodes()
{
    local i n
    n=$(($(stat -f -c %d "$disk") - $1 - 1))
    mkdir -p "$disk/eaten"
    for ((i = 0; i < n; i++)); do
        : >"$disk/eaten/$i"
    done
}

make_room()
{
    rm -rf "$disk/fill" "$disk/eaten"
    sync -f "$disk"
}

# no_space NAME TEXT: it is FAILED for want of room, and its error holds that and what is free.
no_space()
{
    failed_with "$1" no-space
    matches "$1/error" "$(cat "$mnt/images/$1/error")" \
        "$2; free in $(realpath "$store"): [0-9]+ bytes, [0-9]+ inodes"
}

# recovers NAME: a retry, now that there is a cure, brings it where it was meant to go, with nothing
# left over.
recovers()
{
    succeeds write "$mnt/ctl/retry" "$1\n"
    wait_state "$1" ACTIVE
    same_tree "$1"
    nothing_half_done
}

# lose_image SUM: the unpacked image is gone, as if its disk had lost it.
lose_image()
{
    umount -l "$store/images/$1/rootfs" 2>/dev/null || true
    rm -r "$store/images/$1"
}

# needs_erofs: skips where images are not kept as erofs. Behind needs_mounts.
needs_erofs()
{
    launch_daemon -o sink=erofs
    until read_value version; do
        kill -0 "$daemon_pid" 2>/dev/null || skip "needs erofs: $(tail -n1 "$log")"
    done
    stop_daemon
}
