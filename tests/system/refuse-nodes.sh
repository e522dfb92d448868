#!/usr/bin/env bash
# Nothing can be made, removed, renamed or written that is not the user's to.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon
active web

# no CALL PATH [MORE]: is not permitted; error_log names what below the mount point was not to be.
no()
{
    refuses EPERM "${2#"$mnt/"}" "$@"
    [[ $line == *' "" '* ]] || fail "error_log shows a line where there was none: $line"
}
for dir in '' ctl/ images/ images/web/; do
    for call in mkdir create mkfifo; do
        no $call "$mnt/${dir}new"
    done
    refuses EPERM "${dir}new" symlink /etc "$mnt/${dir}new"
    refuses EPERM "${dir}new" link "$mnt/README" "$mnt/${dir}new"
done
for file in README version health metrics ctl/{fetch,remove,reset,error_log} images/web/{state,progress,error,info,rootfs}; do
    no unlink "$mnt/$file"
    no rename "$mnt/$file" "$mnt/images/x"
    no rename "$mnt/$file" "$mnt/x"
done
for dir in ctl images images/web; do
    no rename "$mnt/$dir" "$mnt/other"
done
no rename "$mnt/images/web" "$mnt/images/other"
no rename "$mnt/images/web/state" "$mnt/images/web/error"
no rmdir "$mnt/images"
no rmdir "$mnt/ctl"
for file in README version health metrics images/web/{state,progress,error,info}; do
    no write "$mnt/$file" x
    no truncate "$mnt/$file" 0
    no chmod "$mnt/$file" 666
done
no chmod "$mnt/ctl/fetch" 666
refuses EINVAL ctl/fetch truncate "$mnt/ctl/fetch" 5
# The kernel knows these without asking.
fails_with ENOENT rmdir "$mnt/images/nobody"
fails_with EEXIST mkdir "$mnt/images/web"
fails_with EISDIR unlink "$mnt/images/web"
fails_with ENOTDIR rmdir "$mnt/images/web/state"
fails_with EXDEV rename "$work/port" "$mnt/images/port"
is "state" "$(cat "$mnt/images/web/state")" ACTIVE
same_tree web
