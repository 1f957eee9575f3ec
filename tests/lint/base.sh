# shellcheck shell=bash
# What the lint tests share: the project's folder as working directory, its sources, a count of complaints.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
complaints=0

# Every C file of the given folders (all of the project's unless said otherwise).
sources() {
    (($#)) || set -- common router worker provisioning tests
    find "$@" -type f \( -name '*.c' -o -name '*.h' \) | LC_ALL=C sort
}

complain() {
    printf '%s\n' "$*"
    complaints=$((complaints + 1))
}

# Complains about every line read from standard input.
complain_each() {
    local line
    while IFS= read -r line; do complain "$line"; done
}

# The tool, or "skipped" (ctest counts 77 as skipped) on a machine without it.
require_tool() {
    command -v "$1" >/dev/null && return 0
    echo "skipped: $1 is not installed"
    exit 77
}

verdict() {
    ((complaints == 0)) || echo "$complaints complaints"
    exit $((complaints > 0))
}
