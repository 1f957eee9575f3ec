# shellcheck shell=bash
# The state folder: one owner at a time, a place for sockets whose names are short enough, a place for PostgreSQL's data
# that its OS user may enter. Needs base.sh and cluster.sh.

# Longest folder below which .s.PGSQL.5432 and slots/KIND-NN.sock still fit into the 107 bytes of a Unix socket's name.
state_run_max=80

# state_open FOLDER: makes it, sets state, takes the lock (file descriptor 9) or says who has it.
state_open() {
    mkdir -p "$1" 2>/dev/null || die "the state folder $1 cannot be made"
    state=$(cd "$1" && pwd -P) || die "the state folder $1 cannot be entered"
    [[ -w $state ]] || die "the state folder $state belongs to $(stat -c %U "$state"), and $(id -un) may not write there"
    exec 9>>"$state/lock"
    flock -n 9 || die "another scripts/up (process $(head -n 1 "$state/lock")) runs on $state"
    echo "$$" >"$state/lock"
    mkdir -p "$state"/{log,conf}
}

# True when the cluster's OS user may enter the folder.
state_reachable() { cluster_run test -x "$1"; }

# Sets run: STATE/run, or a short folder elsewhere that STATE/run points to.
state_run_folder() {
    rm -rf "$state/run"
    run=$state/run
    if ((${#run} > state_run_max)) || ! state_reachable "$state"; then
        run=$(mktemp -d /tmp/gremio.XXXXXX) || die 'no folder for sockets can be made in /tmp'
        chmod 0711 "$run"
        ln -sfn "$run" "$state/run"
    fi
    mkdir -p "$run/slots"
    cluster_folder "$run/pg" 0755
}

state_run_remove() {
    [[ -z ${run-} ]] || rm -rf "$run" "$state/run"
}

# Sets pgdata: STATE/pg, or what it points to. As root the state folder may lie where user postgres may not enter.
state_data_folder() {
    pgdata=$state/pg
    if [[ -L $pgdata ]]; then
        pgdata=$(readlink -f "$pgdata")
    elif [[ ! -d $pgdata ]] && ! state_reachable "$state"; then
        mkdir -p /var/lib/gremio
        pgdata=$(mktemp -d /var/lib/gremio/XXXXXX)/pg
        chmod 0711 /var/lib/gremio "${pgdata%/pg}"
        ln -s "$pgdata" "$state/pg"
        note "user postgres may not enter $state: the data is in $pgdata"
    fi
}
