#!/usr/bin/env bash
# What import/ refuses, each with its line in error_log: names, what is taken, too many, bytes that do
# not follow one another, more behind the end, and all that is neither writing nor breaking off.
. "${0%/*}/functions.sh"
. "${0%/*}/imports.sh"
needs_mounts
start_httpd
start_daemon -o queue=30
sum=$(make_image web tar.gz 300)
archive=$www/web.tar.gz
long=$(printf 'x%.0s' {1..129})

# Names.
for name in .hidden -dash 'a b' 'ä' "$long" 'a\b' 'a*' 'a:b'; do
    refuses EINVAL "import/$(printf %s "$name" | sed 's/\\/\\\\/g; s/ä/\\303\\244/')" \
        create "$mnt/import/$name"
    [[ $line == *"1 to 128 of"* ]] || fail "does not say what a name is: $line"
done
cp "$archive" "$mnt/import/${long%x}"
wait_state "${long%x}" ACTIVE

# Taken: by an image, whatever its digest and state, and by an import.
cp "$archive" "$mnt/import/web"
refuses EEXIST import/web create "$mnt/import/web"
fetch "$httpd/404/x" "$(printf %064d 1)" failed
wait_state failed FAILED
refuses EEXIST import/failed create "$mnt/import/failed"
exec 7>"$mnt/import/slow"
fails_with EEXIST create "$mnt/import/slow"
refuses EBUSY import/slow write "$mnt/import/slow" x
refuses EBUSY import/slow open 'O_WRONLY|O_CREAT' "$mnt/import/slow"
refuses EBUSY import/slow open 'O_RDWR' "$mnt/import/slow"
refuses EACCES import/slow open O_RDONLY "$mnt/import/slow"
is "listed" "$(ls "$mnt/import")" slow
is "its mode and size" "$(stat -c '%A %U %s' "$mnt/import/slow")" "--w------- root 0"
head -c 100000 "$archive" >&7
is "its size" "$(stat -c %s "$mnt/import/slow")" 100000
fetch "$httpd/ok/web.tar.gz" "$sum" slow
tail -c +100001 "$archive" >&7 && fail "a name that was fetched meanwhile was imported"
logged slow "EEXIST .*there is an image slow by now" || fail "no line says why"
exec 7>&-
wait_state slow ACTIVE
is "its url" "$(info slow url)" "$httpd/ok/web.tar.gz"
nothing_of_imports

# Nothing else can be done there.
refuses EPERM import/x mkdir "$mnt/import/x"
refuses EPERM import/x mkfifo "$mnt/import/x"
refuses EPERM import/x symlink y "$mnt/import/x"
fails_with ENOENT unlink "$mnt/import/x"
fails_with ENOENT rmdir "$mnt/import/x"
fails_with ENOENT open O_WRONLY "$mnt/import/x"
exec 7>"$mnt/import/x"
refuses EPERM import/y link "$mnt/import/x" "$mnt/import/y"
refuses EPERM import/x rename "$mnt/import/x" "$mnt/import/y"
refuses EINVAL import/x truncate "$mnt/import/x" 5
succeeds truncate "$mnt/import/x" 0
head -c 4096 "$archive" >&7
refuses EINVAL import/x truncate "$mnt/import/x" 0

# Bytes that do not follow; those that do go on.
"$python" -SE - "$mnt/import/gaps" "$archive" >"$work/said" <<'END'
import os, sys
path, archive = sys.argv[1:]
data = open(archive, "rb").read()
fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
def attempt(what, call, *args):
    try:
        print(what, call(*args))
    except OSError as e:
        print(what, os.strerror(e.errno))
attempt("gap", os.pwrite, fd, data[:10], 4096)
attempt("begin", os.pwrite, fd, data[:1000], 0)
attempt("gap", os.pwrite, fd, data[:10], 1001)
attempt("again", os.pwrite, fd, data[:10], 0)
attempt("read", os.pread, fd, 10, 0)
attempt("nothing", os.write, os.dup(fd), b"")
os.lseek(fd, 1000, 0)
attempt("rest", os.write, fd, data[1000:])
attempt("flush", os.close, os.dup(fd))
attempt("state", lambda: os.path.exists(path.replace("import", "images") + "/state"))
attempt("more", os.write, fd, b"x")
attempt("close", os.close, fd)
END
is "what became of it" "$(grep -v ^rest "$work/said" | tr '\n' ';')" "gap Invalid argument;begin 1000;\
gap Invalid argument;again Invalid argument;read Permission denied;nothing 0;flush None;state True;\
more Invalid argument;close None;"
logged gaps "EINVAL .*one after another: these are for offset 1001, while 1000 " || fail "not explained"
logged gaps "EINVAL .*is complete and has become an image" || fail "not explained"
wait_state gaps ACTIVE
same_tree gaps web

# Broken off by rm: the writer is told, and the name is free again.
succeeds unlink "$mnt/import/x"
head -c 4096 "$archive" >&7 2>/dev/null && fail "what was broken off takes more"
logged x "ECANCELED .*import/x was removed" || fail "no line says why"
nothing_of_imports
cp "$archive" "$mnt/import/x"
exec 7>&-
wait_state x ACTIVE

# Sixteen at a time.
fds=()
for n in {1..16}; do
    exec {fd}>"$mnt/import/n$n"
    fds+=("$fd")
done
refuses EAGAIN import/n17 create "$mnt/import/n17"
[[ $line == *"16 imports are under way"* ]] || fail "does not name the limit: $line"
is "listed" "$(ls "$mnt/import" | wc -l)" 16
# Each has its place in the queue.
for n in {1..15}; do
    word=$(call write "$mnt/ctl/fetch" "$httpd/hang/$n $(printf %064d "$n") f$n\n")
    [ "$word" = OK ] || break
done
is "the first that finds no room" "$n $word" "15 EAGAIN"
exec {fds[0]}>&-
eventually 5 [ ! -e "$mnt/import/n1" ]
succeeds write "$mnt/ctl/fetch" "$httpd/hang/16 $(printf %064d 16) f16\n"
refuses EAGAIN import/n17 create "$mnt/import/n17"
[[ $line == *"queue=30"* ]] || fail "does not name the limit: $line"
cat "$archive" >&"${fds[1]}"
wait_state n2 ACTIVE
for fd in "${fds[@]:1}"; do exec {fd}>&-; done
nothing_of_imports
stop_daemon
no_mounts
