# shellcheck shell=bash
# Child processes of a script: started in a session of their own (Ctrl-C reaches the script alone, which then stops
# them in order), ended by the kernel should the script itself be killed, stopped with a bound.

# shellcheck disable=SC2034
declare -A process_pid=()

# process_start NAME LOG DEATH_SIGNAL COMMAND...: DEATH_SIGNAL is what it gets when the script dies.
# File descriptors 8 and 9 are the script's locks and stay with it.
process_start() {
    local name=$1 log=$2 signal=$3
    shift 3
    setsid env --default-signal setpriv --pdeathsig "$signal" "$@" >>"$log" 2>&1 </dev/null 8>&- 9>&- &
    process_pid[$name]=$!
}

process_alive() { [[ -n ${process_pid[$1]-} ]] && kill -0 "${process_pid[$1]}" 2>/dev/null; }
process_gone() { ! process_alive "$1"; }

# process_stop NAME SIGNAL SECONDS: politely, then once more (a second SIGTERM ends a drain), then for good.
process_stop() {
    process_alive "$1" || return 0
    ((process_pid[$1] > 1)) || die "process_stop $1: no process of ours has the number ${process_pid[$1]}"
    kill "-$2" "${process_pid[$1]}" 2>/dev/null
    if ! wait_until "$3" process_gone_or_hurry "$1"; then :; fi
    if process_alive "$1"; then
        kill "-$2" "${process_pid[$1]}" 2>/dev/null
        wait_until 5 process_gone "$1" || kill -KILL "${process_pid[$1]}" 2>/dev/null
    fi
    wait "${process_pid[$1]}" 2>/dev/null
    unset "process_pid[$1]"
    return 0
}

# True too when somebody pressed Ctrl-C a second time: the next, harder step begins at once.
process_hurry=0
process_gone_or_hurry() { ((process_hurry)) || process_gone "$1"; }
