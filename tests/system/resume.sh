#!/usr/bin/env bash
# A download that breaks off goes on where it broke, if what is there is still the same.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon

sum=$(make_image web tar.gz 400)
fetch "$httpd/rangetrunc/web.tar.gz?at=123456" "$sum" web
wait_state web ACTIVE
same_tree web
is "ranges" "$(asked rangetrunc/web.tar.gz ranges)" '[null, "bytes=123456-"]'
matches "If-Range" "$(asked rangetrunc/web.tar.gz if_ranges)" '\[null, "\\"[0-9a-f]+\\""\]'

# Each of these must not be glued to what was there before, and ends well all the same.
for mode in etagchange rangeignore weaktag; do
    sum=$(make_image "$mode" tar.gz 400)
    fetch "$httpd/$mode/$mode.tar.gz" "$sum" "$mode"
    wait_state "$mode" ACTIVE
    same_tree "$mode"
done
for how in offset total garbage none etag; do
    sum=$(make_image "lie-$how" tar.gz 400)
    fetch "$httpd/rangelie/lie-$how.tar.gz?how=$how" "$sum" "lie-$how"
    wait_state "lie-$how" ACTIVE
    same_tree "lie-$how"
done
nothing_half_done
