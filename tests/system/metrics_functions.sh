# What tests of metrics share, sourced behind functions.sh.

# metric NAME[{LABELS}]: what metrics says of it, a line a series; NAME without imgstorefs_ and a
# regular expression, as LABELS are. metric_sum NAME…: of all of them.
metric()
{
    sed -n "s/^imgstorefs_$1 //p" "$mnt/metrics"
}

metric_sum()
{
    metric "$1" | awk '{ sum += $1 } END { print sum + 0 }'
}

# counts NAME[{LABELS}] VALUE: fails unless that is what it says.
counts()
{
    is "$1" "$(metric "$1")" "$2"
}
