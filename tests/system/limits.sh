#!/usr/bin/env bash
# An archive over a limit is FAILED, nothing is kept, and the error names the limit and its option.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon -o max_files=100,max_file_size=1M,max_total_size=3M,max_download_size=8M

over()
{
    failed_with "$1" "$2"
    grep -q -e "${3//_/[-_]}" "$mnt/images/$1/error" || fail "the error does not name $3"
    grep -q -e "$4" "$mnt/images/$1/error" || fail "the error does not name the limit $4"
    is "what is kept unpacked" "$(find "$store/images" -mindepth 1 -maxdepth 1 ! -name '.trash-*' -name "$5*")" ""
}
make_tree files
for i in {1..120}; do : >"$work/trees/files/$i"; done
sum=$(pack files tar.gz)
fetch "$httpd/ok/files.tar.gz" "$sum" files
over files too-many-files max_files 100 "$sum"

make_tree dirs
mkdir -p "$work/trees/dirs/$(printf 'd/%.0s' {1..150})"
(cd "$work/trees/dirs" && find . -name payload | tar -cf "$www/dirs.tar" -T - --transform "s,^,$(printf 'd/%.0s' {1..150}),")
sum=$(digest "$www/dirs.tar")
fetch "$httpd/ok/dirs.tar" "$sum" dirs
over dirs too-many-files max_files 100 "$sum"

make_tree file
truncate -s 2M "$work/trees/file/sparse"
(cd "$work/trees/file" && tar -Scf "$www/file.tar" .)
sum=$(digest "$www/file.tar")
fetch "$httpd/ok/file.tar" "$sum" file
over file too-large-file max_file_size '1M\|1048576\|1 MiB\|1,048,576' "$sum"

make_tree total
for i in 1 2 3 4; do truncate -s 1M "$work/trees/total/$i"; done
sum=$(pack total tar.gz)
fetch "$httpd/ok/total.tar.gz" "$sum" total
over total too-large-total max_total_size '3M\|3145728\|3 MiB\|3,145,728' "$sum"

sum=$(make_image download tar 9000)
for mode in ok nolength closelength; do
    fetch "$httpd/$mode/download.tar" "$sum" "$mode"
    failed_with "$mode" too-large-download
    grep -q 'max[-_]download[-_]size' "$mnt/images/$mode/error" || fail "the error names no option"
done
is "what is kept" "$(find "$store/blobs" -name '*.part' -o -name "$sum*")" ""
active good
