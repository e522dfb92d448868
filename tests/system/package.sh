#!/usr/bin/env bash
# package.sh HOW: the Debian package builds from the tree, lintian finds no error in it, and on a
# machine with systemd it is there for use once it is installed; an upgrade leaves active images and
# what runs in them alone, its removal unmounts them and keeps the store.
# HOW: here (built and installed with what this machine has), clean (both in a Debian of its own that
# has nothing else: needs a mirror).
. "${0%/*}/functions.sh"
. "${0%/*}/box.sh"
how=$1
needs_program dpkg-buildpackage dh lintian
sources=$(realpath "$here/../..")
if [ "$how" = clean ]; then
    needs_mounts
    needs_program mmdebstrap apt-get
    suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
    mmdebstrap -q --variant=apt --include=systemd,mount,ca-certificates "$suite" "$work/clean" ||
        skip "needs a mirror of Debian"
    box_lower=$work/clean
else
    missing=$(dpkg-checkbuilddeps "$sources/contrib/debian/control" 2>&1) || skip "needs ${missing#*: }"
fi
needs_box

timeout 1500 "$sources/contrib/scripts/build-deb" $([ "$how" = here ] || echo --clean-chroot) \
    --nocheck "$work/deb" >"$log" 2>&1 || fail "does not build"
lintian --fail-on error --tag-display-limit 0 "$work"/deb/*.changes || fail "lintian finds errors"

contents=$(dpkg-deb -c "$work"/deb/imgstorefs_*.deb)
for file in usr/share/zsh/vendor-completions/_imgstore usr/share/doc/imgstorefs/recipes.md; do
    grep -q " \./$file\$" <<<"$contents" || fail "the package has no $file"
done

start_httpd
sum=$(make_image web)
box_bare=yes
cp "$work"/deb/imgstorefs_*.deb "$box/root/imgstorefs.deb"
[ "$how" = here ] || cp /etc/resolv.conf "$box/etc/resolv.conf"
rm -f "$box/usr/sbin/policy-rc.d" # which says that nothing is to be started
box_boot

# Twice the same: apt, where there is nothing else; dpkg, of a machine that has all it needs.
install()
{
    if [ "$how" = clean ]; then
        in_box env DEBIAN_FRONTEND=noninteractive sh -c 'apt-get update -qq &&
            apt-get install -y -qq --reinstall --no-install-recommends /root/imgstorefs.deb'
    else
        in_box dpkg -i /root/imgstorefs.deb
    fi >>"$log" 2>&1 || fail "does not install"
}
since()
{
    echo "$1: $((($(date +%s%N) - began) / 1000000)) ms after the command to install"
}
began=$(date +%s%N)
install
since "installed"
matches "the version" "$(in_box imgstorefs --version)" 'imgstorefs [0-9.]+, libfuse .*'
in_box imgstore fetch web "$httpd/ok/web.tar.gz" "$sum" --wait
active=$(in_box readlink /run/imgstore/images/web/rootfs)
is "what rootfs shows" "$(in_box cat "$active/etc/image-name")" web
since "in a root file system"
is "the unit" "$(in_box systemctl is-enabled imgstorefs)" enabled
in_box getent group imgstore >/dev/null || fail "there is no group"
! in_box sh -c 'ls /etc/systemd/user/*/imgstorefs.service' 2>/dev/null ||
    fail "every user's login starts it"

# An upgrade.
mounted_before=$(in_box findmnt -no ID "$active")
pid=$(property imgstorefs MainPID)
in_box systemctl start imgstorefs@two
second=$(property imgstorefs@two MainPID)
in_box sh -c 'cd "$1" && exec sleep 1000' - "$active" &
sits()
{
    sitter=$(in_box pgrep -x sleep 2>/dev/null || in_box sh -c 'grep -lx sleep /proc/[0-9]*/comm' | tr -dc 0-9)
    [ -n "$sitter" ]
}
eventually 5 sits
install
[ "$(property imgstorefs MainPID)" != "$pid" ] || fail "an upgrade does not restart it"
[ "$(property imgstorefs@two MainPID)" != "$second" ] || fail "an upgrade does not restart instances"
is "the other instance" "$(property imgstorefs@two ActiveState)" active
is "the mount" "$(in_box findmnt -no ID "$active")" "$mounted_before"
is "where the process sits" "$(in_box readlink "/proc/$sitter/cwd")" "$active"
is "its state" "$(in_box cat /run/imgstore/images/web/state)" ACTIVE
in_box sh -c 'kill "$1"' - "$sitter" # there may be no such program

in_box dpkg --purge imgstorefs >>"$log" 2>&1 || fail "cannot be removed"
is "the other instance" "$(property imgstorefs@two ActiveState)" inactive
is "what is still mounted" "$(in_box findmnt -rno TARGET | grep -E '/run/imgstore|/active/|/images/')" ""
is "what it leaves" "$(in_box find / -xdev -name '*imgstorefs*' ! -path '/root/*' ! -path '/proc/*' \
    ! -path "$sources/*" ! -path '/tmp/*' ! -path '/run/log/*' -newer /etc/machine-id)" ""
in_box test -d /var/lib/imgstore/store/blobs || fail "the store is gone"
