#!/bin/sh
# errors.sh [OPTION of sawlog watch…]: tells of each service that had too many errors in the last minute, as lines
# TIME SERVICE COUNT. MOST in the environment is how many are still all right.
#
#   MOST=20 docs/examples/errors.sh --data /var/lib/sawlog | while read -r line; do notify-send "$line"; done
exec sawlog watch 'level:error | stats count() as n by (service) | sort n desc' --since 1m --interval 10s "$@" |
    awk -v most="${MOST:-10}" '
        /^# /            { time = $2; next }      # each answer begins with its time,
        $1 == "service"  { next }                 # then the names of its columns
        $NF > most       { print time, $1, $NF; fflush() }
    '
