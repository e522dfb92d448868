#!/bin/bash
# The client against a tree made of plain files: exit codes, texts, JSON.
# usage: client.sh IMGSTORE
# shellcheck source=tests/unit/plain_tree.sh
. "${0%/*}/plain_tree.sh"

image() { # NAME STATE WANT ERROR
    local at=$tree/images/$1
    mkdir -p "$at"
    printf '%s\n' "$2" >"$at/state"
    printf '%s\n' "42 12582912 29360128 download" >"$at/progress"
    printf '%s' "${4:+$4
}" >"$at/error"
    printf '%s\n' "name $1" "url http://user:***@h/x y" "sha256 $sha" "state $2" "want $3" \
        "policy strict" "sink directory" "format tar.gz" "size 29360128" "entries 12" "bytes 99" \
        "skipped 0" "attempts 1" "next_retry -" "created 2026-01-02T03:04:05.678Z" \
        "updated -" >"$at/info.new"
    mv "$at/info.new" "$at/info"
}

# --- wrong use, help
fresh
run 2
run 2 nonsense
run 2 --nonsense
run 4 status a b
run 2 list --wait
run 2 list --dry-run
run 2 fetch web http://h/x
run 2 status ../ctl
run 2 remove $'a\nb'
is "no half request" "$(cat "$tree/ctl/remove")" ""
run 2 fetch "" http://h/x $sha
run 2 fetch web $'http://h/x\nhttp://h/y' $sha
run 2 fetch web "http://h/a b" $sha
is "nothing written" "$(cat "$tree/ctl/fetch")" ""
run 0 --help
is "help" "${out%%$'\n'*}" "Usage: imgstore [--mount DIR] [--json] COMMAND [ARGUMENT...]"
run 0 --version
is "version" "${out%% *}" imgstore

# --- what is written
run 0 fetch web http://h/x $sha
is "fetch line" "$(od -c <"$tree/ctl/fetch")" "$(printf 'http://h/x %s web\n' $sha | od -c)"
fresh
out=$(printf 'https://u:secret@h/x\n' | "$client" --mount "$tree" fetch web - $sha)
is "fetch from stdin" "$(cat "$tree/ctl/fetch")" "https://u:secret@h/x $sha web"
run 2 fetch web - $sha </dev/null
for c in remove retry cancel activate deactivate; do
    run 0 $c web
    is "$c line" "$(cat "$tree/ctl/$c")" web
done
IMGSTORE_MOUNT=$tree "$client" remove other
is "by environment" "$?$(cat "$tree/ctl/remove")" "0other"

# --- no daemon
"$client" --mount "$dir/nowhere" list 2>/dev/null
is "no tree: list" $? 3
mkdir "$dir/empty"
"$client" --mount "$dir/empty" remove web 2>/dev/null
is "no tree: remove" $? 3
PATH=/nonexistent "$client" worker "$dir/empty" 2>/dev/null
is "no daemon to run" $? 3

# --- the worker runs the daemon beside it, else the one in PATH
mkdir "$dir/bin" "$dir/path"
cp "$client" "$dir/bin/imgstore"
printf '#!/bin/sh\necho path "$@"\n' >"$dir/path/imgstorefs"
chmod +x "$dir/path/imgstorefs"
is "worker in PATH" "$(PATH=$dir/path:$PATH "$dir/bin/imgstore" worker /m)" "path -f /m"
printf '#!/bin/sh\necho beside "$@"\n' >"$dir/bin/imgstorefs"
chmod +x "$dir/bin/imgstorefs"
is "worker beside" "$(PATH=$dir/path:$PATH "$dir/bin/imgstore" worker /m)" "beside -f /m"
is "worker's place" "$(IMGSTORE_MOUNT=/e "$dir/bin/imgstore" worker)" "beside -f /e"

# --- refusals, with the reason that error_log gives
fresh
run 4 status web
is "no such image" "$err" \
    'imgstore: web: no such image; `imgstore list` shows which there are'
run 4 wait web
ln -sf /dev/full "$tree/ctl/fetch"
printf '%s\n' "2026-01-02T03:04:05.678Z ctl/fetch EINVAL \"x web\" bad \\\"scheme\\\"" \
    "2026-01-02T03:04:05.678Z ctl/fetch ENOSPC \"http://h/x $sha web\" the store is full" \
    "2026-01-02T03:04:05.678Z ctl/fetch ENOSPC \"http://h/x $sha other\" not this one" \
    >"$tree/ctl/error_log"
run 5 fetch web http://h/x $sha
is "full" "$err" "imgstore: web: full: the store is full"
: >"$tree/ctl/error_log"
run 5 fetch web http://h/x $sha
is "full, no log" "$err" "imgstore: web: full"
ln -sf /proc/self/oom_score_adj "$tree/ctl/retry" # refuses words: EINVAL
printf '%s\n' 'T retry EINVAL "we\"b web" said "so"' >"$tree/ctl/error_log"
run 2 retry web
is "not valid" "$err" 'imgstore: web: not valid: said "so"'
rm "$tree/ctl/cancel" && mkdir "$tree/ctl/cancel" # EISDIR: nothing that we know
run 5 cancel web other

# --- status and list
fresh
image web ACTIVE active
image bad FAILED active 'http-status: 404 "no"'
image 0123 STORED stored
ln -s /store/active/web "$tree/images/web/rootfs"
run 0 list
is "list" "$out" "NAME  STATE   PROGRESS       SIZE  ERROR
0123  STORED  42% download  28.0M  -
bad   FAILED  42% download  28.0M  http-status: 404 \"no\"
web   ACTIVE  42% download  28.0M  -"
run 0 status --json web
json 'list(j)' "['name', 'url', 'sha256', 'state', 'want', 'policy', 'sink', 'format', 'size', \
'entries', 'bytes', 'skipped', 'attempts', 'next_retry', 'created', 'updated', 'progress', \
'error', 'rootfs', 'snapshots', 'events']"
json '[j[k] for k in ("size", "next_retry", "sha256", "error", "rootfs", "url")]' \
    "[29360128, None, '$sha', None, '/store/active/web', 'http://user:***@h/x y']"
json 'j["progress"]' "{'percent': 42, 'done': 12582912, 'total': 29360128, 'phase': 'download'}"
run 0 list --sort state
is "list by state" "$(sed 's/ .*//' <<<"$out" | xargs)" "NAME 0123 web bad"
run 0 list --sort -name --json
json '[i["name"] for i in j]' "['web', 'bad', '0123']"
run 2 list --sort colour
is "no such key" "$err" "imgstore: list: cannot sort by \"colour\": it is name, state, progress, \
size, created or updated; -KEY reverses it"
run 2 status web --sort name
run 0 list --json
json '[(i["name"], i["error"]) for i in j]' \
    "[('0123', None), ('bad', 'http-status: 404 \"no\"'), ('web', None)]"
"$client" --mount "$tree" list >/dev/full 2>/dev/null
is "list to a full disk" $? 5
rm -r "$tree"/images/*
run 0 list --json
json 'j' "[]"

# --- cleanup
ln -sf /dev/null "$tree/ctl/cleanup"
run 0 cleanup --dry-run
fresh
run 0 cleanup --dry-run
is "cleanup" "$(cat "$tree/ctl/cleanup")$out" "dry-rundry-run"
fresh
run 0 cleanup --json
json 'j' "{'mode': 'run', 'report': ['run']}"

# --- wait
fresh
image web ACTIVE active
image kept STORED stored
image bad FAILED active 'cancelled: by hand'
image way STORED active
run 0 wait web kept
is "wait says nothing" "$out$err" ""
run 1 wait bad web
is "failed" "$err" "imgstore: bad: cancelled: by hand"
run 1 wait --json web bad
json '[(i["name"], i["state"]) for i in j]' "[('web', 'ACTIVE'), ('bad', 'FAILED')]"
run 1 fetch --wait --json bad http://h/x $sha
json 'j["error"]' "cancelled: by hand"
run 0 fetch --wait web http://h/x $sha
(sleep 0.3 && image way ACTIVE active) &
run 0 wait way # STORED on its way to ACTIVE is not enough
wait
image way UNPACKING active
(sleep 0.3 && mv "$tree/images/way" "$dir/way") &
run 4 wait way
wait
mv "$dir/way" "$tree/images/way"
(sleep 0.3 && mv "$tree" "$dir/gone") &
run 3 wait way
wait

# --- import, as far as a plain folder can: what is written, and what is not taken
fresh
mkdir "$tree/import"
echo archive >"$dir/file"
run 0 import web "$dir/file"
is "import" "$(cat "$tree/import/web")$out$err" archive
printf archive | "$client" --mount "$tree" import other -
is "import of standard input" "$?$(cat "$tree/import/other")" 0archive
run 2 import web "$dir/nothere"
run 2 import web "$dir"
run 2 import a/b "$dir/file"
run 2 import web
ln -sf /dev/full "$tree/import/web"
printf '%s\n' 'T import/web ENOSPC "" no room for it' >"$tree/ctl/error_log"
run 5 import web "$dir/file"
is "the reason" "$err" "imgstore: web: full: no room for it"

# --- export
mkdir "$tree/export" "$dir/to"
echo tar >"$tree/export/web.tar"
run 0 export web "$dir/to/web.tar"
is "export" "$(cat "$dir/to/web.tar")$out$err$(ls "$dir/to")" tarweb.tar
run 0 export web -
is "export to standard output" "$out" tar
run 4 export other
run 2 export web@
run 5 export web "$dir/to"
image other STORED stored
run 5 export other
is "not active" "$err" "imgstore: other: it is STORED, and only what is ACTIVE can be exported; \
\`imgstore activate other\` mounts it"

finish
