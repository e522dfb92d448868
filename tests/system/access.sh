#!/usr/bin/env bash
# Who may do what: with allow_other another user reads states and no more, without it nothing at all; a
# member of ctl_group commands and changes nothing else; the store is its owner's, whatever it was.
. "${0%/*}/functions.sh"
needs_mounts
needs_program setpriv unshare
getent group nogroup >/dev/null || skip "needs the group nogroup"
uid=$(id -u nobody 2>/dev/null) || skip "needs the user nobody"
gid=$(getent group nogroup | cut -d: -f3)
mkdir "$work/theirs"
touch "$work/theirs/other"
chown -R "$uid:12345" "$work/theirs"

# tries_all WHO…: what access.py says when it is run so.
tries_all()
{
    "$@" "$python" -SE "$work/access.py" "$mnt" "$work/theirs/other" "${skipped[@]}" >"$work/tried" ||
        fail "could not try: $*"
}
cp "$here/access.py" "$work/"
stranger=(setpriv --reuid="$uid" --regid=12345 --clear-groups --)
member=(setpriv --reuid="$uid" --regid=12345 --groups="$gid" --)
elsewhere_root=("${stranger[@]}" unshare -Ur --)
skipped=()

# only WHO REGEX: fails if a line that was tried is neither REGEX nor a refusal that is due. What
# the kernel says before it asks for rights: EXDEV across mounts, EISDIR and ELOOP for what is not to be
# opened for writing by anyone, EISDIR and ENOTSUP for what nobody may do here, EBUSY for the mount
# point.
only()
{
    local odd
    [ "$(wc -l <"$work/tried")" -ge 15 ] || fail "$1: little was tried: $(cat "$work/tried")"
    odd=$(grep -vxE -e "$2" -e '[a-z-]+ [a-z]+ (EACCES|EPERM)' \
        -e '(link-to|link-out|rename-over|rename-in|rename-to) [a-z]+ EXDEV' \
        -e '(open-[a-z]+|truncate) (root|ctl|images|image|snapshots|snapshot|export|import) EISDIR' \
        -e 'open-[a-z]+ rootfs ELOOP' -e '(set|remove)xattr (control|images|snapshots|import) ENOTSUP' \
        -e 'unlink (ctl|images|image|snapshots|snapshot|export|import) EISDIR' \
        -e '(rmdir|rename-to|rename-over) root EBUSY' "$work/tried") || return 0
    fail "$1: not due: $odd"
}

unharmed()
{
    is state "$(cat "$mnt/images/web/state")" ACTIVE
    same_tree web
    is "the tree" "$(find "$mnt" -printf '%P %m %U %G\n' | sort)" "$before"
    is error_log "$(cat "$mnt/ctl/error_log")" ""
    is mounts "$(mounts_below "$store/active" | wc -l)" 2
}

# A store that was open to all.
umask 0
mkdir -p "$store"/{blobs,images,overlays,active}
chmod -R 777 "$store"
touch "$db"
start_httpd
start_daemon -o allow_other
active web
mkdir "$mnt/images/web/snapshots/build"
umask 022
private()
{
    local odd
    odd=$(find "$store" -maxdepth 1 -type d ! -perm 700 -o -maxdepth 1 -type f ! -perm 600 -o ! -uid 0 \
        -prune)
    is "what is not private in the store" "$odd" ""
    is "what is not private in blobs" "$(find "$store/blobs" -type f ! -perm 600)" ""
    is "modes of the database" "$(stat -c %a "$db"* | sort -u)" 600
    [ -f "$store/.key" ] && [ -f "$store/.id" ] || fail "there is no key, or no id"
}
private
before=$(find "$mnt" -printf '%P %m %U %G\n' | sort)
reads='read (root|ctl|images|image|snapshots|snapshot|rootfs|export|import|state) OK'

tries_all "${stranger[@]}"
only "a stranger" "$reads"
is "what a stranger reads" "$(grep -c ' OK$' "$work/tried")" 10
unharmed
for path in "$mnt/images/web/rootfs/" "$store" "$store/active/web" "$store/blobs" "$store/.key" "$db" \
    "$mnt/ctl/error_log" "$mnt/ctl/cleanup"; do
    ! "${stranger[@]}" cat "$path" >/dev/null 2>&1 || fail "a stranger reads $path"
    ! "${stranger[@]}" ls "$path/" >/dev/null 2>&1 || fail "a stranger lists $path"
done
"${stranger[@]}" ls -l "$mnt/images/web/" >/dev/null || fail "a stranger cannot list an image"

# Root of a user namespace of its own is a stranger like any other.
if "${elsewhere_root[@]}" true 2>/dev/null; then
    tries_all "${elsewhere_root[@]}"
    only "root elsewhere" "$reads"
    unharmed
    ! "${elsewhere_root[@]}" ls "$store" "$mnt/images/web/rootfs/" >/dev/null 2>&1 ||
        fail "root elsewhere sees the store"
else
    echo "no user namespaces here: root of another one was not tried"
fi
stop_daemon USR2

# What was loosened is tightened at the next start.
chmod 777 "$store" "$store"/{blobs,images,overlays,active}
chmod 666 "$db" "$store/.key" "$store/.id"
start_daemon
private
before=$(find "$mnt" -printf '%P %m %U %G\n' | sort)
tries_all "${stranger[@]}"
only "a stranger without allow_other" 'nothing'
is "what is seen without allow_other" "$(grep -c -v ' root ' "$work/tried")" 0
unharmed
stop_daemon USR2

# A member of the group: commands, and no more.
start_daemon -o ctl_group=nogroup
before=$(find "$mnt" -printf '%P %m %U %G\n' | sort)
skipped=('rmdir image' 'rmdir snapshot' 'rename-to snapshot' 'mkdir snapshots' 'create import')
tries_all "${member[@]}"
only "a member" '(read (root|ctl|images|image|snapshots|snapshot|rootfs|export|import|state|control)|(open-[a-z]+|truncate) control) OK'
succeeds write "$mnt/ctl/error_log" 'clear\n'
unharmed
skipped=()
tries_all "${stranger[@]}"
only "a stranger beside the group" "$reads"
unharmed
is "rmdir by a member" "$("${member[@]}" "$python" -SE "$here/ctl.py" rmdir "$mnt/images/web/snapshots/build")" OK
is "rmdir by a member" "$("${member[@]}" "$python" -SE "$here/ctl.py" rmdir "$mnt/images/web")" OK
stop_daemon

# A store that is someone else's to change is refused.
chown "$uid" "$store"
launch_daemon
! wait_exit "$daemon_pid" 20 || fail "took a store that belongs to another user"
daemon_pid=''
grep -q "belongs to user $uid" "$log" || fail "it does not say whose the store is"
