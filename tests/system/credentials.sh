#!/usr/bin/env bash
# Credentials in a URL are used, after a restart too, and are nowhere to be found: not in the tree, the
# log, the client's output, the database, the store, or any process's command line or environment.
. "${0%/*}/functions.sh"
needs_mounts
needs_program getfattr
start_httpd
start_daemon -d
host=${httpd#http://}

# canary WHERE CANARY: how the files below WHERE hold it, in any spelling. Base64 in its three
# alignments, for that is how it goes over the wire.
cat >"$work/canary.py" <<'EOF'
import base64, os, sys
words = sys.argv[2:]
spelled = {}
for word in words:
    raw = word.encode()
    for form in (raw, raw[::-1], raw.hex().encode(), raw.hex().upper().encode(),
                 raw.decode().encode("utf-16-le")):
        spelled[form] = word
    for pad in range(3):
        spelled[base64.b64encode(b"x" * pad + raw)[4 if pad else 0:-4]] = word
found = 0
for folder, _, files in os.walk(sys.argv[1]):
    for name in files:
        path = os.path.join(folder, name)
        if not os.path.isfile(path) or os.path.islink(path):
            continue
        with open(path, "rb") as f:
            data = f.read() + os.fsencode(path)
        for form, word in spelled.items():
            if form in data:
                print(f"{path} holds {word} as {form}")
                found = 1
sys.exit(found)
EOF

canaries=(CanaryUser CanaryPass CanaryToken CanaryEnc CanaryHop CanaryOld CanaryBad)
evidence=$work/evidence
mkdir "$evidence"

# Command lines and environments of the daemon and all below it, for as long as the test runs.
sample()
{
    local p
    while :; do
        for p in "$daemon_pid" $(cat "/proc/$daemon_pid/task"/*/children); do
            cat "/proc/$p/cmdline" "/proc/$p/environ" "/proc/$p/comm"
        done >>"$evidence/processes"
        sleep 0.01
    done 2>/dev/null
}

# What any user, backup or bug report gets hold of.
gather()
{
    find "$mnt" -path '*/rootfs' -prune -o -type f -print0 |
        xargs -0 -n1 sh -c 'echo "$0"; dd if="$0" bs=1M iflag=nonblock 2>/dev/null || :' >"$evidence/tree-$1"
    for name in "$mnt"/images/*; do
        "$IMGSTORE" --mount "$mnt" status "${name##*/}"
        "$IMGSTORE" --mount "$mnt" --json status "${name##*/}"
        "$IMGSTORE" --mount "$mnt" wait "${name##*/}"
    done >"$evidence/client-$1" 2>&1 || true
    "$IMGSTORE" --mount "$mnt" list >>"$evidence/client-$1"
    "$IMGSTORE" --mount "$mnt" --json list >>"$evidence/client-$1"
    sqlite3 "$db" .dump >"$evidence/dump-$1"
    cp "$db"* "$evidence/"
    mkdir -p "$evidence/store-$1"
    cp -a "$store"/.??* "$store/blobs" "$evidence/store-$1/"
    (cd "$store" && find . -xdev -printf '%p %l\n') >"$evidence/names-$1"
    getfattr -R -P -d -m - --absolute-names "$store/blobs" "$store/images" "$store/overlays" \
        >"$evidence/xattrs-$1" 2>/dev/null || true
    cp "$log" "$evidence/log-$1"
    "$python" -SE "$work/canary.py" "$evidence" "${canaries[@]}" || fail "$1: a credential is shown"
}

sample &
in_background $!

# The server takes any of these, and tells what it was given.
big=$(make_image big tar.gz 3000)
sum=$(make_image web)
none=$(printf %064d 1)
fetch "http://CanaryUser:CanaryPass@$host/ok/web.tar.gz" "$sum" web
fetch "http://CanaryToken@$host/ok/web.tar.gz" "$sum" token
wait_state web ACTIVE
wait_state token ACTIVE
is url "$(info web url)" "http://user:***@$host/ok/web.tar.gz"
is url "$(info token url)" "http://user:***@$host/ok/web.tar.gz"

# Every way to fail, and the whole way through a client that reads the URL from its input.
fetch "http://CanaryUser:CanaryPass@$host/404/x" "$none" missing
fetch "http://CanaryUser:Canary%45nc%3A%2F@127.0.0.1:1/x?key=1" "$(printf %064d 2)" nobody
fetch "http://CanaryUser:CanaryEnc%40%3a@$host/wrong/web.tar.gz" "$(printf %064d 3)" wrong
fetch "http://CanaryUser:CanaryPass@no-such-host.invalid/x" "$(printf %064d 4)" unknown
fetch "https://CanaryUser:CanaryPass@$host/x" "$(printf %064d 5)" notls
echo "http://CanaryUser:CanaryHop@$host/404/y" >"$www/hop"
echo "ftp://CanaryUser:CanaryHop@h/y" >"$www/badhop"
fetch "http://CanaryUser:CanaryPass@$host/redirect-file/hop" "$(printf %064d 6)" hop
fetch "http://CanaryUser:CanaryPass@$host/redirect-file/badhop" "$(printf %064d 7)" badhop
echo "http://CanaryUser:CanaryPass@$host/500/z" |
    "$IMGSTORE" --mount "$mnt" fetch given - "$(printf %064d 8)" --wait >"$evidence/fetch" 2>&1 ||
    is "the client's exit" $? 1
for name in missing nobody wrong unknown notls hop badhop given; do
    wait_state "$name" FAILED 30
done

# Refused, in every spelling that is not quite a URL.
n=0
for line in "http://CanaryUser:CanaryBad@$host/x nodigest" "http:/CanaryUser:CanaryBad@h/x $none" \
    "CanaryUser:CanaryBad@h/x $none" "ftp://CanaryUser:CanaryBad@h/x $none" \
    "http://CanaryUser:CanaryBad more@h/x $none" "http://CanaryUser:Canary/Bad@h/x $none" \
    "http://CanaryUser:CanaryBad@h:port/x $none" "http://CanaryUser:CanaryBad\t@h/x $none" \
    "web $none http://CanaryUser:CanaryBad@h/x" "http://CanaryUser:CanaryBad@/x $none" \
    "http://user:***@$host/x $none"; do
    fails_with EINVAL write "$mnt/ctl/fetch" "$line\n"
    cp "$mnt/ctl/error_log" "$evidence/error_log-$((++n))"
done
refuses EEXIST ctl/fetch write "$mnt/ctl/fetch" "http://CanaryUser:CanaryBad@$host/x $none web\n"
gather first
is "what the next hop was given" "$(asked 404/y auth)" \
    "[\"Basic $(printf CanaryUser:CanaryHop | base64)\"]"

# A download that the daemon's death broke off goes on with them.
fetch "http://CanaryUser:CanaryPass@$host/stallx1/big.tar.gz?at=2000000" "$big" big
has_begun()
{
    read_value images/big/progress
    [[ $value == *' 2000000 '* ]]
}
eventually 10 has_begun
gather under-way
kill_daemon
cp "$db"* "$evidence/"
start_daemon
wait_state big ACTIVE
same_tree big
auth=$(printf CanaryUser:CanaryPass | base64)
is "what the server was given" "$(asked stallx1/big.tar.gz auth)" "[\"Basic $auth\", \"Basic $auth\"]"
matches "what it was asked for" "$(asked stallx1/big.tar.gz ranges)" '\[null, "bytes=[1-9][0-9]*-"\]'

# So does a retry; another fetch of a failed name brings others, and they are kept.
succeeds write "$mnt/ctl/retry" 'missing\n'
wait_state missing FAILED
is "what the server was given" "$(asked 404/x auth)" "[\"Basic $auth\", \"Basic $auth\"]"
fetch "http://CanaryUser:CanaryOld@$host/404/x" "$none" missing
wait_state missing FAILED
kill_daemon
start_daemon
succeeds write "$mnt/ctl/retry" 'missing\n'
wait_state missing FAILED
other=$(printf CanaryUser:CanaryOld | base64)
is "what the server was given" "$(asked 404/x auth)" \
    "[\"Basic $auth\", \"Basic $auth\", \"Basic $other\", \"Basic $other\"]"
gather retried

# What was removed is gone.
for name in missing nobody wrong; do
    succeeds write "$mnt/ctl/remove" "$name\n"
done
stop_daemon
cp "$db"* "$evidence/"
"$python" -SE "$work/canary.py" "$evidence" "${canaries[@]}" || fail "a credential is shown"
grep -q 'user:\*\*\*@' "$evidence/log-retried" || fail "nothing is masked"
[ -s "$evidence/processes" ] || fail "no process was looked at"
grep -qz '^IMGSTORE_HOLD=' "$evidence/processes" || fail "no environment was seen"

# A core, which would hold them, is never written: 1 is below any, and keeps handlers away, too.
start_daemon
matches "limit of cores" "$(grep 'core file' "/proc/$daemon_pid/limits")" 'Max core file size +1 +1 +bytes *'

# The search finds what is there.
printf '%s' "$auth" >"$evidence/control"
! "$python" -SE "$work/canary.py" "$evidence" CanaryPass >/dev/null || fail "the search is blind"
rm "$evidence/control"
