#!/usr/bin/env bash
# Without root: what is missing is said at the start, in one line, with what to install or to do;
# the store is in the user's own folder; what cannot be had without root is refused, not half done.
. "${0%/*}/functions.sh"
[ -n "${IMGSTORE_TEST_USER-}" ] || skip "is run by ordinary.sh"

# refuses_to_start TEXT OPTIONS…
refuses_to_start()
{
    local want=$1 status=0 said
    shift
    said=$(PATH=${path-$PATH} "$IMGSTOREFS" -f -o "db=$db,store=$store,helper=$IMGSTORE_HELPER" "$@" 2>&1) || status=$?
    [ $status != 0 ] || fail "it starts"
    said=$(grep '^imgstorefs: ' <<<"$said")
    is "lines" "$(wc -l <<<"$said")" 1
    [[ $said == *"$want"* ]] || fail "it does not say '$want': $said"
}

# A PATH without one of them, or both.
bare=$work/bin
mkdir "$bare"
no_root="no writable layers here: overlay: mounting needs CAP_SYS_ADMIN; fuse-overlayfs:"
path=$bare refuses_to_start \
    "$no_root fuse-overlayfs and fusermount3 not found in PATH: apt install fuse-overlayfs fuse3" "$mnt"
ln -s "$(command -v fusermount3)" "$bare"
path=$bare refuses_to_start "$no_root fuse-overlayfs not found in PATH: apt install fuse-overlayfs" "$mnt"
rm "$bare/fusermount3"
ln -s "$(command -v fuse-overlayfs)" "$bare"
path=$bare refuses_to_start "$no_root fusermount3 not found in PATH: apt install fuse3" "$mnt"

# A program that says why.
rm "$bare/fuse-overlayfs"
# shellcheck disable=SC2016
printf '#!/bin/sh\n[ "$1" = --version ] || { echo "no\tgood" >&2; exit 1; }\n' >"$bare/fuse-overlayfs"
chmod 755 "$bare/fuse-overlayfs"
path=$bare:$PATH refuses_to_start "$no_root cannot mount: no\\tgood" "$mnt"

# Someone looks at every new mount, as a desktop's indexer does: that keeps nobody from starting.
cat >"$bare/fuse-overlayfs" <<EOF
#!/bin/sh
$(command -v fuse-overlayfs) "\$@" || exit
for point; do :; done
[ ! -d "\$point" ] || (cd "\$point" && exec sleep 0.5) 2>/dev/null 3<&- &
sleep 0.1
EOF
PATH=$bare:$PATH start_daemon
stop_daemon
rm "$bare/fuse-overlayfs"

refuses_to_start "policy=faithful: owners, devices" -o policy=faithful "$mnt"
is "a wrong mount point" "$(ls /root 2>/dev/null)" ""
refuses_to_start "the mount point is not yours" /var
if ! grep -q '^user_allow_other' /etc/fuse.conf 2>/dev/null; then
    refuses_to_start "unless a line user_allow_other is in /etc/fuse.conf" -o allow_other "$mnt"
fi
no_mounts
eventually 5 none_served

# By default all is in his own folder.
mkdir "$work/home"
HOME=$work/home "$IMGSTOREFS" -o "helper=$IMGSTORE_HELPER" "$mnt"
[ -d "$work/home/.local/share/imgstore/store/active" ] || fail "the store is elsewhere"
fusermount3 -u "$mnt"
gone()
{
    [ -z "$(pgrep -f "^$IMGSTOREFS")" ]
}
eventually 10 gone
eventually 5 none_served

# What a killed daemon leaves at the mount point goes with the next start.
start_daemon
kill_daemon
ls "$mnt" 2>/dev/null && fail "the mount is not stale"
start_daemon
stop_daemon
no_mounts
