#!/usr/bin/env bash
# Nothing can be made, removed, renamed or written that is not the user's to.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon
active web

for dir in . ctl images images/web; do
    fails_with EPERM mkdir "$mnt/$dir/new"
    fails_with EPERM create "$mnt/$dir/new"
    fails_with EPERM symlink /etc "$mnt/$dir/new"
done
for file in README version health ctl/fetch images/web/state images/web/rootfs; do
    fails_with EPERM unlink "$mnt/$file"
    fails_with EPERM rename "$mnt/$file" "$mnt/images/x"
    fails_with EPERM rename "$mnt/$file" "$mnt/x"
done
fails_with EPERM rename "$mnt/images/web" "$mnt/images/other"
fails_with EPERM rmdir "$mnt/images"
fails_with EPERM rmdir "$mnt/ctl"
fails_with ENOENT rmdir "$mnt/images/nobody"
for file in README version health images/web/{state,progress,error,info}; do
    fails_with EPERM write "$mnt/$file" x
    fails_with EPERM truncate "$mnt/$file" 0
    fails_with EPERM chmod "$mnt/$file" 666
done
fails_with EPERM link "$mnt/README" "$mnt/images/x"
is "state" "$(cat "$mnt/images/web/state")" ACTIVE
same_tree web
