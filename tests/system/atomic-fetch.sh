#!/usr/bin/env bash
# Of several lines in one write all take effect, or none does.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon

a=$(make_image a) b=$(make_image b) c=$(make_image c)
la="$httpd/ok/a.tar.gz $a a" lb="$httpd/ok/b.tar.gz $b b" lc="$httpd/ok/c.tar.gz $c c"
nothing()
{
    is "what appeared" "$(ls "$mnt/images")" ""
}
refused EINVAL fetch "$la\n$lb\nhttp://h/x nodigest c\n" "http://h/x nodigest c"
nothing
refused EINVAL fetch "nonsense\n$la\n$lb\n" "nonsense"
nothing
# Two lines of one write that contradict each other.
refused EEXIST fetch "$la\n$httpd/ok/b.tar.gz $b a\n" "$httpd/ok/b.tar.gz $b a"
nothing
# Several lines must end in a newline.
refuses EINVAL ctl/fetch write "$mnt/ctl/fetch" "$la\n$lb"
nothing

succeeds write "$mnt/ctl/fetch" "$la\n\n$lb\n$la\n$lc\n"
for name in a b c; do
    wait_state "$name" ACTIVE
done
# And none where one name is taken.
refused EEXIST fetch "$la-new\n$httpd/ok/a.tar.gz $a b\n" "$httpd/ok/a.tar.gz $a b"
is "images" "$(ls "$mnt/images" | tr '\n' ' ')" "a b c "
