#!/usr/bin/env bash
# mount-helper.sh HOW: mount(8) mounts the tree, by hand and from a file such as /etc/fstab, and gives
# the exit codes that it gives of any other. HOW: imgstorefs, fuse.imgstorefs (the type).
. "${0%/*}/functions.sh"
needs_mounts
needs_program mount umount pgrep findmnt
type=$1
source=$(realpath "$here/../../contrib/mount/mount.imgstorefs")

# Beside the programs that there are, as if it were installed: mount(8) looks in /sbin alone.
put_into()
{
    local dir
    dir=$(realpath "$1")
    mount -t overlay overlay -o "lowerdir=$2:$dir" "$dir" || skip "cannot mount over $dir"
}
mkdir "$work/sbin" "$work/bin"
cp "$source" "$work/sbin/mount.imgstorefs"
ln -s mount.imgstorefs "$work/sbin/mount.fuse.imgstorefs"
ln -s "$(realpath "$IMGSTOREFS")" "$work/bin/imgstorefs"
put_into /sbin "$work/sbin"
put_into /usr/bin "$work/bin"

mounted()
{
    mountpoint -q "$mnt" && [ -s "$mnt/version" ] || fail "the tree is not there at once"
    daemon_pid=$(pgrep -f "^(/sbin/../bin|/usr/bin)/imgstorefs .* $mnt\$")
    matches "its process" "$daemon_pid" '[0-9]+'
}

unmounts()
{
    local pid=$daemon_pid
    daemon_pid=''
    umount "$mnt"
    gone()
    {
        ! kill -0 "$pid" 2>/dev/null
    }
    eventually 20 gone
    no_mounts
}

# exits WANT CMD…, what it says is $said.
exits()
{
    local want=$1 status=0
    shift
    said=$(timeout 20 "$@" 2>&1) || status=$?
    is "exit status of $*" "$status" "$want"
}

start_httpd

# By hand: the store from the source, its database beside it; what others add is no option of ours.
mount -t "$type" "$store/" "$mnt" -o rw,noauto,nosuid,_netdev,user,x-systemd.automount,max_files=12
mounted
[ -f "$store.db" ] && [ -d "$store/blobs" ] || fail "the store is not at its source"
active web
same_tree web
matches "what it was given" "$(tr '\0' ' ' <"/proc/$daemon_pid/cmdline")" '.* -o max_files=12 .*'
is "its type" "$(findmnt -no FSTYPE "$mnt")" fuse.imgstorefs
exits 32 mount -t "$type" "$store" "$mnt"
unmounts

# From a table, whose source says that it is the default, with the store among the options.
cat >"$work/fstab" <<EOF
imgstorefs $mnt $type store=$store,db=$db,nofail,x-systemd.requires=network-online.target 0 0
EOF
mount -T "$work/fstab" "$mnt"
mounted
wait_state web ACTIVE
mount -a -T "$work/fstab" || fail "mount -a minds that it is mounted"
is "how often it is mounted" "$(findmnt -rno TARGET -t fuse.imgstorefs | grep -cxF "$mnt")" 1
unmounts
mount -a -T "$work/fstab"
mounted
unmounts

# What does not work: mount(8)'s exit codes, and a line that says why.
exits 1 mount -t "$type" none "$mnt" -o "store=$store,db=$db,no_such_thing=1"
[[ $said == *no_such_thing* ]] || fail "does not say what is wrong: $said"
exits 1 mount -t "$type" none "$mnt" -o "ro,store=$store,db=$db"
[[ $said == *read-only* ]] || fail "does not say what is wrong: $said"
exits 32 mount -t "$type" none "$mnt" -o "store=/proc/imgstore,db=$db"
[[ $said == */proc/imgstore* ]] || fail "does not say what is wrong: $said"
exits 1 "$source" "$store"
exits 1 "$source" "$store" "$mnt" -x
exits 0 mount -f -t "$type" "$store" "$mnt"
exits 0 "$source" none "$mnt" -f -v -o "rw,allow_other,defaults"
matches "what -v says" "$said" "mount.imgstorefs: .*/imgstorefs -o allow_other $mnt"
no_mounts
