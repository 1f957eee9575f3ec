# shellcheck shell=bash
# What every script uses: where the project is, what people read, one clear sentence when it cannot go on.

# shellcheck disable=SC2034  # read by the scripts that include this file
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# "[2/6] Build the release": step_total is set by the script that counts its steps.
step_total=${step_total:-0}
step_now=0
step() {
    step_now=$((step_now + 1))
    printf '[%d/%d] %s\n' "$step_now" "$step_total" "$*"
}
note() { printf '      %s\n' "$*"; }

# Reads "PERCENT TEXT" lines. On a terminal one line that is rewritten, elsewhere a line for each quarter.
progress_show() {
    local percent text quarter=0
    while read -r percent text; do
        if [[ -t 1 ]]; then
            printf '\r      %3d %% %-60.60s' "$percent" "$text"
        elif ((percent / 25 > quarter)); then
            quarter=$((percent / 25))
            note "$percent % $text"
        fi
    done
    [[ ! -t 1 ]] || printf '\r%-80s\r' ''
}

# wait_until SECONDS COMMAND...: true as soon as the command is, false when the time is over.
wait_until() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < end)) || return 1
        sleep 0.05
    done
}

# The last lines of a log, for the sentence that says what failed.
log_tail() {
    [[ ! -s $1 ]] || tail -n "${2:-15}" "$1" | sed 's/^/      | /' >&2
}

# Free space of the file system that holds folder $1, in MiB.
disk_free_mb() { df -Pk "$1" | awk 'NR == 2 { print int($4 / 1024) }'; }

disk_require() {
    local free
    free=$(disk_free_mb "$1")
    ((free >= $2)) || die "the disk that holds $1 is full: $free MiB are free and $2 MiB are needed"
}
