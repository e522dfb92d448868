# What the stress tests share. Source it after functions.sh.
#
# In a build with a sanitizer every finding goes to a file below $work: a daemon's exit may go unseen.

supp=$(realpath "${BASH_SOURCE[0]%/*}")/tsan.supp
export TSAN_OPTIONS=suppressions=$supp:log_path=$work/finding:exitcode=66
export ASAN_OPTIONS=log_path=$work/finding:detect_leaks=1
export LSAN_OPTIONS=log_path=$work/finding UBSAN_OPTIONS=log_path=$work/finding:print_stacktrace=1
export TMPDIR=$work

# Does the daemon run under one? Then time and memory say nothing.
sanitized()
{
    ldd "$IMGSTOREFS" | grep -E 'lib(tsan|asan|ubsan)' >/dev/null # to its end: pipefail is set
}

no_findings()
{
    local finding
    for finding in "$work"/finding*; do
        cat "$finding"
        fail "the sanitizer found something"
    done
}

# A clean stop; the finding is shown, however the daemon ended.
stop_without_findings() # SECONDS
{
    local status=0
    kill -TERM "$daemon_pid"
    wait_exit "$daemon_pid" "$1" || status=$?
    daemon_pid=''
    no_findings
    [ $status = 0 ] || fail "the daemon ended with $status"
}
