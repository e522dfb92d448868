#!/usr/bin/env bash
# Lines that ctl/fetch refuses, each with EINVAL and its line in error_log.
. "${0%/*}/functions.sh"
needs_mounts
start_daemon

u=http://127.0.0.1:1/x.tar
sum=$(printf '%064d' 1)
long=$(printf 'n%.0s' {1..129})
inval()
{
    refused EINVAL fetch "$@"
}
# Empty, or not the right number of fields.
inval '\n' ''
inval '   \t \n' '   \t '
inval '\n\n\n' ''
inval "$u\n"
inval "$u $sum name surplus\n"
# Digests.
inval "$u ${sum:1} n\n"
inval "$u ${sum}0 n\n"
inval "$u ${sum:1}g n\n"
inval "$u sha256:${sum:1} n\n"
inval "$u sha512:$sum n\n"
inval "$u sha256: n\n"
inval "$u -${sum:1} n\n"
# Schemes and URLs.
for url in ftp://h/x file:///etc/passwd gopher://h/x javascript:alert\(1\) etc/passwd -o/tmp/x \
    http: http:/h/x //h/x; do
    inval "$url $sum n\n"
done
# Names.
for name in . .. a/b /abs ../x -rf .hidden _x 'a:b' 'a,b' 'a@b' 'x;y' '%n' "$long"; do
    inval "$u $sum $name\n"
done
# Bytes that have no place in a line.
inval "$u $sum n\r\n"
inval "$u $sum a\\000b\n"
inval "$u $sum a\\033[2Jb\n"
inval "$u $sum a\\177\n"
inval "$u $sum caf\\303\\251\n"
inval "$u $sum a\\013b\n"
inval "http://127.0.0.1:1/\\001.tar $sum n\n"
is "what appeared" "$(ls "$mnt/images")" ""

# The forms that are fine.
upper=$(printf 'AB%062d' 1)
succeeds write "$mnt/ctl/fetch" "  $u\t$sum \t tabs  \n"
succeeds write "$mnt/ctl/fetch" "\n\n$u sha256:$upper upper\n\n"
succeeds write "$mnt/ctl/fetch" "HTTPS://127.0.0.1:1/x $sum ${long:1}\n"
is "digest" "$(info upper sha256)" "${upper,,}"
is "what appeared" "$(ls "$mnt/images" | tr '\n' ' ')" "${long:1} tabs upper "
