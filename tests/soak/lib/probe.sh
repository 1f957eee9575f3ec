# shellcheck shell=bash
# The echo server of the same HTTP code as the router's, for suites from outside. Sets probe_port and probe_log (one line per
# request). Needs GREMIO_BIN; the caller's work folder is $work, gone at the end with the server.

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd -P)
# shellcheck source=scripts/lib/base.sh
. "$project/scripts/lib/base.sh"
# shellcheck source=scripts/lib/process.sh
. "$project/scripts/lib/process.sh"
work=$(mktemp -d /tmp/gremio-soak.XXXXXX) || exit 1
failures=0 results=0

cleanup() {
    local name
    for name in "${!process_pid[@]}"; do process_stop "$name" TERM 5; done
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

# result NUMBERS ok|FAIL|skipped TEXT: one line for whoever collects.
result() {
    local number
    [[ $2 != FAIL ]] || failures=$((failures + 1))
    [[ $2 == skipped ]] || results=$((results + 1))
    for number in $1; do printf 'promise %s: %s: %s\n' "$number" "$2" "$3"; done
}

# Exit status of the whole script: 1 when something failed, 77 when everything was skipped.
finish() {
    ((failures == 0)) || exit 1
    ((results > 0)) || exit 77
    exit 0
}

answers() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_port NAME: sets the variable to a port nobody listens on.
free_port() {
    local -n to=$1
    while :; do
        to=$((31000 + RANDOM % 1000))
        answers "$to" || return 0
    done
}

# probe_start [NAME]: one more of them, when there are several.
probe_start() {
    : "${GREMIO_BIN:?folder of the binaries}"
    free_port probe_port
    probe_log=$work/${1:-probe}.log
    process_start "${1:-probe}" "$probe_log" KILL "$GREMIO_BIN/gremio-router" --probe-listen "127.0.0.1:$probe_port"
    wait_until 20 answers "$probe_port" || die 'the probe does not listen'
}

thousands() { sed -E ':a;s/([0-9])([0-9]{3})($|,)/\1,\2\3/;ta' <<<"$1"; }

# The file of that name in SOAK_SUITES; fails when there is none.
suite_file() { [[ -n ${SOAK_SUITES-} ]] && find -L "$SOAK_SUITES" -name "$1" -print -quit | grep .; }
