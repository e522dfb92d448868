#!/usr/bin/env bash
# import-broken CASE: an import that does not come to its end leaves nothing behind but a line that
# says why: truncated, corrupt, its writer killed or hanging, the daemon stopped or killed, no room,
# too large. What is whole but not allowed is FAILED with that code.
. "${0%/*}/functions.sh"
. "${0%/*}/imports.sh"
. "${0%/*}/disks.sh"
needs_mounts

# helpers of the daemon, which has another child, too
no_helper()
{
    [ -z "$(pgrep -P "$daemon_pid" imgstore-unpack)" ]
}

helper_runs()
{
    ! no_helper
}

# hang NAME FILE BYTES: a writer, $writer, that has written so many bytes of FILE, and hangs.
hang()
{
    rm -f "$work/fifo"
    mkfifo "$work/fifo"
    cat "$work/fifo" >"$mnt/import/$1" &
    writer=$!
    in_background "$writer"
    exec 7>"$work/fifo"
    head -c "$3" "$2" >&7
    eventually 10 has_come "$1" "$3"
}

closes()
{
    local call
    read -r call _ <"/proc/$1/syscall" && [ "$call" = 3 ]
}

is_over()
{
    ! kill -0 "$1" 2>/dev/null
}

has_come()
{
    [ "$(stat -c %s "$mnt/import/$1" 2>/dev/null)" = "$2" ]
}

case $1 in
archives)
    start_daemon
    make_tree whole 300
    for format in tar tar.gz tar.xz tar.zst tar.bz2; do
        pack whole "$format" >/dev/null
        size=$(stat -c %s "$www/whole.$format")
        for bytes in 1 3 100 600 $((size / 2)) $((size - 11000)); do
            head -c "$bytes" "$www/whole.$format" >"$work/cut"
            said=$(cp "$work/cut" "$mnt/import/cut" 2>&1) && fail "cp of a truncated $format succeeds"
            [[ $said == *"Invalid argument"* ]] || fail "cp of a truncated $format: $said"
            broken_off cut "$bytes bytes$"
            cat "$work/cut" >"$mnt/import/cut" 2>/dev/null && fail "cat of a truncated $format succeeds"
            broken_off cut "EINVAL .*(corrupt|unsupported)"
            succeeds write "$mnt/ctl/error_log" x
        done
        # Written by someone else than who has opened it: nobody is told but error_log.
        (cat "$work/cut" && true) >"$mnt/import/cut"
        broken_off cut "EINVAL .*corrupt-archive: .*"
    done
    # Damaged within.
    cp "$www/whole.tar.xz" "$work/bad"
    printf '\0\0\0\0' | dd of="$work/bad" bs=1 seek=150000 conv=notrunc status=none
    cp "$work/bad" "$mnt/import/bad" 2>/dev/null && fail "a damaged archive was taken"
    broken_off bad corrupt-archive
    # A tar that stops between two entries, as one whose writer was killed may do.
    tar -b1 -cf "$work/two.tar" -C "$work/trees/whole/etc" image-name os-release
    [ $(($(stat -c %s "$work/two.tar") % 512)) = 0 ]
    head -c 1024 "$work/two.tar" >"$work/one"
    cp "$work/one" "$mnt/import/one" 2>/dev/null && fail "a tar without an end was taken"
    broken_off one "it has no end"
    gzip -k "$work/one"
    cp "$work/one.gz" "$mnt/import/one" 2>/dev/null && fail "a tar.gz without an end was taken"
    broken_off one "it has no end"
    cp "$work/two.tar" "$mnt/import/one"
    wait_state one ACTIVE
    # Nothing at all.
    : >"$mnt/import/empty"
    broken_off empty "nothing was written"
    # No archive at all is told by its name, as what is fetched is.
    head -c 5000 /dev/urandom >"$work/noise"
    cp "$work/noise" "$mnt/import/noise"
    failed_with noise unsupported-format
    ;;
limits)
    start_daemon -o max_files=10,max_download_size=200K,max_file_size=2M
    make_image large tar 300 >/dev/null
    cp "$www/large.tar" "$mnt/import/large" 2>"$work/said" && fail "what is too large was taken"
    grep -q "File too large" "$work/said" || fail "cp says $(<"$work/said")"
    broken_off large "EFBIG .*204800 bytes; raise it with -o max_download_size=SIZE"
    mkdir -p "$work/trees/many" && touch "$work/trees/many/"{1..20}
    pack many tar.gz >/dev/null
    cp "$www/many.tar.gz" "$mnt/import/many"
    failed_with many too-many-files
    is "its url" "$(info many url)" import:
    mkdir "$work/trees/huge" && truncate -s 3M "$work/trees/huge/file"
    pack huge tar.gz >/dev/null
    cp "$www/huge.tar.gz" "$mnt/import/huge"
    failed_with huge too-large-file
    mkdir "$work/trees/climbs" && ln -s ../../up "$work/trees/climbs/link"
    pack climbs tar >/dev/null
    cp "$www/climbs.tar" "$mnt/import/climbs"
    failed_with climbs unsafe-link
    nothing_of_imports
    # The same bytes under the other policy are another image.
    stop_daemon
    start_daemon -o policy=faithful
    cp "$www/climbs.tar" "$mnt/import/faithful"
    wait_state faithful ACTIVE
    is "its link" "$(readlink "$mnt/images/faithful/rootfs/link")" ../../up
    is "its policy" "$(info faithful policy)" faithful
    ;;
writer)
    start_daemon
    make_image web tar.gz 3000 >/dev/null
    # Killed, and closed by its death.
    hang web "$www/web.tar.gz" 1000000
    kill -KILL "$writer"
    wait "$writer" 2>/dev/null || true
    broken_off web "corrupt-archive: .*, 1000000 bytes"
    # Killed while it waits to be told: what looks at the archive is stopped.
    hang web "$www/web.tar.gz" 1000000
    eventually 5 helper_runs
    kill -STOP "$(pgrep -P "$daemon_pid" imgstore-unpack)"
    tail -c +1000001 "$www/web.tar.gz" >&7
    exec 7>&-
    eventually 5 closes "$writer"
    kill -KILL "$writer"
    eventually 5 is_over "$writer"
    broken_off web "or its writer killed"
    # Hanging: it holds up nobody, and keeps nothing but a thread.
    hang web "$www/web.tar.gz" 1000000
    eventually 5 helper_runs
    cp "$www/web.tar.gz" "$mnt/import/other"
    wait_state other ACTIVE
    eventually 30 no_helper
    is "import/" "$(ls "$mnt/import")" web
    # It may still come to its end.
    tail -c +1000001 "$www/web.tar.gz" >&7
    exec 7>&-
    wait "$writer"
    wait_state web ACTIVE
    same_tree web
    nothing_half_done
    ;;
TERM | KILL)
    start_daemon
    make_image web tar.gz 3000 >/dev/null
    hang web "$www/web.tar.gz" 1000000
    begun=$SECONDS
    if [ "$1" = TERM ]; then
        stop_daemon
        [ $((SECONDS - begun)) -lt 5 ] || fail "the stop waited for a writer that hangs"
        no_imports_left || fail "left over: $(imports_left)"
    else
        kill_daemon
        ! no_imports_left || fail "there is nothing that could be left over"
    fi
    kill "$writer"
    umount -l "$mnt" 2>/dev/null || true
    start_daemon
    nothing_of_imports
    is "images" "$(ls "$mnt/images")" ""
    is "blobs" "$(ls -A "$store/blobs")" ""
    cp "$www/web.tar.gz" "$mnt/import/web"
    wait_state web ACTIVE
    nothing_half_done
    ;;
disk-full)
    small_disk 64
    store=$disk/store
    start_daemon -o min_free=0
    make_image web tar.gz 10000 >/dev/null
    fill_up 3000
    cp "$www/web.tar.gz" "$mnt/import/web" 2>"$work/said" && fail "there was room"
    grep -q "No space left" "$work/said" || fail "cp says $(<"$work/said")"
    broken_off web "ENOSPC .*cannot write the import: No space left on device; free in "
    # Room for the archive alone: it is an image, that cannot be unpacked yet.
    make_room
    fill_up 15000
    cp "$www/web.tar.gz" "$mnt/import/web"
    failed_with web no-space
    nothing_of_imports
    make_room
    recovers web
    ;;
esac
alive
stop_daemon
[ "$1" = disk-full ] || no_mounts
