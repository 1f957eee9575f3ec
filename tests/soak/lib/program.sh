# shellcheck shell=bash
# Long forms that are a program of tests/system or tests/isolation, told by SOAK_* variables to go on for longer.
bin=${GREMIO_BIN:?GREMIO_BIN names the folder of the release\'s programs}
support=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../support" && pwd -P)
with_stack=("$support/with-stack")

# soak_program PROGRAM PREFIX=PROMISE... -- STACK_OPTION...: every line "PREFIX: figures" it prints is a result of PROMISE.
soak_program() {
    local program=$1 of=() pair said rc
    shift
    while [[ $1 != -- ]]; do of+=("$1") && shift; done
    shift
    if [[ ! -x $bin/$program ]]; then
        for pair in "${of[@]}"; do echo "promise ${pair#*=}: skipped: $program is not built"; done
        return 77
    fi
    said=$("${with_stack[@]}" "$@" "$bin" -- "$bin/$program" --jobs 1 2>&1)
    rc=$?
    printf '%s\n' "$said" >&2
    for pair in "${of[@]}"; do
        sed -n "s/^${pair%%=*}: /promise ${pair#*=}: ok: /p" <<<"$said"
        ((rc == 0)) || echo "promise ${pair#*=}: FAIL: $program ended with status $rc"
    done
    return "$rc"
}
