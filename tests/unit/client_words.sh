#!/bin/bash
# What the client says: help, wrong use, status, logs, snapshots, against a tree of plain files.
# usage: client_words.sh IMGSTORE
. "${0%/*}/plain_tree.sh"

# --- help, and wrong use
fresh
run 0 --help
commands=$(sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' <<<"$out")
for c in worker fetch status list logs wait shell snapshot reset remove retry cleanup; do
    grep -qx "$c" <<<"$commands" || is "--help" "" "$c"
done
grep -q __complete <<<"$out" && is "hidden" shown hidden
is "widest line of --help" "$(awk 'length > 80' <<<"$out")" ""
for o in mount json wait dry-run follow lines remove rename help version; do
    grep -q -- "--$o\>" <<<"$out" || is "--help" "" "--$o"
done
for c in $commands; do
    run 0 "$c" --help
    is "$c's first word" "$(cut -d' ' -f1-3 <<<"${out%%$'\n'*}")" "Usage: imgstore $c"
    is "widest line of $c --help" "$(awk 'length > 80' <<<"$out")" ""
done
run 0 fetch --help
grep -q -- '--wait' <<<"$out" || is "options of fetch" "$out" --wait
grep -q -- '--follow' <<<"$out" && is "options of fetch" "$out" "not logs'"
run 2 shel
is "mistyped" "$err" "imgstore: no command shel; did you mean shell? imgstore --help shows what there is"
run 2 xyzzy
is "unknown" "$err" "imgstore: no command xyzzy; imgstore --help shows what there is"
run 2 list --wait
is "wrong option" "$err" $'imgstore: list takes no --wait\nUsage: imgstore list [--sort KEY]'
run 2 logs
is "too few" "$err" "Usage: imgstore logs NAME [-f] [-n N]"
mkdir "$dir/empty"
run 3 --mount "$dir/empty" list
is "no tree" "$err" "imgstore: no daemon at $dir/empty: no imgstorefs is mounted there; \`imgstore worker $dir/empty\` starts one"
run 2 fetch web http://h/x 9f86d081…
grep -q '64 hex digits' <<<"$err" || is "a cut SHA256" "$err" "64 hex digits"
run 2 logs web -n x
run 2 logs web --nonsense
run 2 snapshot web --remove
run 2 snapshot web a --remove --rename b
run 2 snapshot web .a
run 2 status web@
run 2 reset 'a b'

# --- status
image web ACTIVE
image bad FAILED 'no-space: the store is full'
image rest STORED
image way DOWNLOADING
ln -s /store/active/web "$tree/images/web/rootfs"
snapshot web build ACTIVE
{
    event 1 web null NEW
    event 2 webb null NEW
    event 3 web NEW ACTIVE
    event 4 bad DOWNLOADING FAILED no-space 'the \"image\":\"web\" store'
} >"$tree/events"
run 0 status web
is "status" "$(sed '1s/;.*//' <<<"$out")" "● web - ACTIVE since 2026-01-02T03:04:03.000Z
    SHA256: $sha
   Archive: 28.0 MiB, tar.gz
       URL: http://h/x
    Rootfs: /store/active/web
    Policy: strict
      Sink: erofs
   Entries: 12, 99 B unpacked, 0 left out
 Snapshots: 1 (build)
   Created: 2026-01-02T03:04:05.678Z

2026-01-02T03:04:01.000Z  NEW
2026-01-02T03:04:03.000Z  NEW -> ACTIVE"
run 0 status bad
is "what to do" "$(grep -A1 Error: <<<"$out")" "     Error: no-space: the store is full
      Next: make room (\`imgstore cleanup\`), then \`imgstore retry bad\`"
run 0 status way
grep -qx '  Progress: 42% of download, 12.0 MiB of 28.0 MiB' <<<"$out" || is "progress" "$out" "42%"
LC_ALL=C run 0 status rest
is "another locale" "${out:0:8}" "* rest -"
run 4 status web wbe bad
is "of three" "$(grep -c ' since ' <<<"$out")" 2
is "mistyped" "$err" "imgstore: wbe: no such image; did you mean web?"
run 0 status web@build
grep -qx '   Written: 2.00 KiB' <<<"$out" || is "snapshot" "$out" "2.0K"
run 4 status web@buidl
is "mistyped" "$err" "imgstore: web@buidl: no such snapshot; did you mean build?"
run 0 --json status web
json '(j["name"], j["size"], j["snapshots"], [e["to"] for e in j["events"]])' \
    "('web', 29360128, ['build'], ['NEW', 'ACTIVE'])"
run 0 --json status web bad web@build
json '[i.get("name") or i["id"] for i in j]' "['web', 'bad', 'build']"
run 0 status
is "overview" "$out" "● imgstorefs 1.2.3 - healthy
     Mount: $tree
    Health: ok
    Images: 3 (1 FAILED, 2 ACTIVE)
 Snapshots: 1
      Disk: 1.00 GiB of 4.00 GiB free
      Next: \`imgstore list\` shows what FAILED, \`imgstore status NAME\` why"
printf 'a\nb\n' >"$tree/health"
run 0 status
is "problems" "$(sed -n '1p;3,4p' <<<"$out")" "● imgstorefs 1.2.3 - has problems
    Health: a
            b"
run 0 status --json
json '(j["healthy"], j["problems"], j["images"]["ACTIVE"], j["store"]["free_bytes"])' \
    "(False, ['a', 'b'], 2, 1073741824)"

# --- logs
run 0 logs bad
is "logs" "$out" '2026-01-02T03:04:04.000Z  DOWNLOADING -> FAILED  no-space: the "image":"web" store'
run 0 logs web -n1
is "the last one" "$out" "2026-01-02T03:04:03.000Z  NEW -> ACTIVE"
run 0 logs web -n 0
is "none" "$out" ""
run 0 logs web --json --lines=1
is "as they are" "$out" "$(sed -n 3p "$tree/events")"
run 0 logs rest
is "of what nothing happened to" "$out" ""
run 0 logs webb
run 4 logs nobody
event 5 webb NEW null >>"$tree/events"
run 0 logs webb -f
is "the end" "$(tail -n1 <<<"$out")" "2026-01-02T03:04:05.000Z  NEW -> removed"
is "is said" "$err" "imgstore: webb: removed; nothing more will happen to it"
run 2 logs web@build

# --- snapshots
run 0 snapshot web
is "snapshots" "$out" "ID     STATE       CREATED                       SIZE
build  ACTIVE      2026-01-02T03:04:05.678Z  2.00 KiB"
run 0 snapshot web --json
json '[(s["id"], s["upper_bytes"]) for s in j]' "[('build', 2048)]"
run 0 snapshot bad
is "none" "$out$err" 'imgstore: bad has no snapshots; `imgstore snapshot bad ID` makes one'
run 0 snapshot web new
[ -d "$tree/images/web/snapshots/new" ] || is "made" no yes
run 0 snapshot web new --rename newer
run 0 snapshot web newer --remove
[ ! -d "$tree/images/web/snapshots/newer" ] || is "removed" no yes
run 5 snapshot web@build
run 4 snapshot web none --remove
run 4 snapshot none a
run 0 reset web@build
is "reset" "$(cat "$tree/ctl/reset")" web/build

run 2 remove web@build
is "of a snapshot" "$err" "imgstore: web@build: remove takes images; for a snapshot there are \`imgstore snapshot \
web build --remove\` and \`imgstore reset web@build\`"

# --- shell, of what cannot be entered
run 5 shell bad
is "FAILED" "$err" 'imgstore: bad: it is FAILED, not ACTIVE: `imgstore status bad` says why, and what to do'
run 5 shell rest
is "STORED" "$err" 'imgstore: rest: it is STORED, not ACTIVE: `imgstore activate rest` mounts it'
run 5 shell way true
run 4 shell none
run 2 shell ../ctl
finish
