#!/usr/bin/env bash
# A name left out is the last segment of the URL's path, less an archive's suffix.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon

sum=$(make_image web tar.gz)
for ext in tar tar.gz tgz tar.xz txz tar.zst tzst tar.bz2 tbz2; do
    cp "$www/web.tar.gz" "$www/as-$ext.$ext"
    fetch "$httpd/ok/as-$ext.$ext?token=a/b.tar#fragment/c" "$sum"
    wait_state "as-$ext" ACTIVE
done
cp "$www/web.tar.gz" "$www/v1.tar.gz.tar"
cp "$www/web.tar.gz" "$www/web.zip"
fetch "$httpd/ok/v1.tar.gz.tar" "$sum"
wait_state v1.tar.gz ACTIVE
fetch "$httpd/ok/web.zip" "$sum"
wait_state web.zip ACTIVE

# Not decoded, and no name at all.
refused EINVAL fetch "$httpd/ok/a%20b.tar $sum\n"
refused EINVAL fetch "$httpd/ok/.tar $sum\n"
refused EINVAL fetch "$httpd/ok/ $sum\n"
refused EINVAL fetch "$httpd $sum\n"
refused EINVAL fetch "$httpd/ok/-x.tar $sum\n"
