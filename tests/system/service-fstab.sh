#!/usr/bin/env bash
# A line of /etc/fstab is a mount unit: it is up once the tree is there, and goes as it came.
. "${0%/*}/functions.sh"
. "${0%/*}/box.sh"
needs_box
start_httpd
sum=$(make_image web)
cp "$here/../../contrib/mount/mount.imgstorefs" "$box/sbin/"
box_boot
# (By the table's path, for mount(8) starts it with no environment of ours.)
where=/mnt/images
echo "/var/lib/imgstores/x $where imgstorefs noauto,nofail,helper=$bindir/${IMGSTORE_HELPER##*/} 0 0" |
    in_box tee /etc/fstab >/dev/null
in_box systemctl daemon-reload
in_box systemctl start mnt-images.mount
is "what it says" "$(in_box cat $where/health)" ok
is "the unit" "$(in_box systemctl is-active mnt-images.mount)" active
in_box "$bindir/imgstore" fetch web "$httpd/ok/web.tar.gz" "$sum" --wait
is "what rootfs shows" "$(in_box cat $where/images/web/rootfs/etc/image-name)" web
in_box systemctl stop mnt-images.mount
all_gone()
{
    ! in_box pgrep -x imgstorefs >/dev/null &&
        ! in_box findmnt -rno TARGET | grep -qE '^(/mnt/images|/var/lib/imgstores/x/)'
}
eventually 20 all_gone
is "the unit" "$(in_box systemctl is-active mnt-images.mount)" inactive
