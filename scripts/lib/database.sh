# shellcheck shell=bash
# Which PostgreSQL scripts/up works with: one of its own in the state folder, or the server DB_HOST names. Sets db_host,
# db_port, db_name, db_user, db_password and takes DB_* out of the environment: only `gremioctl init` gets the
# superuser's password, no server process does. Needs base.sh, process.sh, cluster.sh, state.sh.
# shellcheck disable=SC2034,SC2154

# DB_* and GREMIO_* lines of .env that the environment does not set already.
database_dotenv() {
    local line name
    [[ -f $project/.env ]] || return 0
    while IFS= read -r line || [[ -n $line ]]; do
        [[ $line =~ ^((DB|GREMIO)_[A-Z0-9_]+)=(.*)$ ]] || continue
        name=${BASH_REMATCH[1]}
        line=${BASH_REMATCH[3]%$'\r'}
        if [[ $line =~ ^\"(.*)\"$ || $line =~ ^\'(.*)\'$ ]]; then line=${BASH_REMATCH[1]}; fi
        [[ -n ${!name+set} || -z $line ]] || export "$name=$line"
    done <"$project/.env"
}

database_is_private() { [[ -z ${DB_HOST-} ]]; }

# A cluster in the state folder, made on the first run.
database_private() {
    unset DB_HOST DB_PORT DB_NAME DB_USER DB_PASSWORD
    db_host=$run/pg db_port=5432 db_name=gremio db_user=postgres db_password=''
    id -un >/dev/null 2>&1 || die "user $EUID has no name, and PostgreSQL needs one"
    ((EUID != 0)) || id postgres >/dev/null 2>&1 ||
        die 'PostgreSQL never runs as root, and there is no user postgres to run it as'
    state_data_folder
    cluster_pick "$pgdata"
    cluster_stop_left_over "$pgdata"
    if [[ ! -f $pgdata/PG_VERSION ]]; then
        disk_require "$(dirname "$pgdata")" 300
        cluster_init "$pgdata" "$state/log/initdb.log" || database_failed initdb.log 'PostgreSQL could not make its data folder'
        note "a new cluster in $pgdata"
    fi
    disk_require "$pgdata" 64
    cluster_settings "$pgdata" "$run/pg"
    cluster_start "$pgdata" "$run/pg" "$state/log/postgresql.log" ||
        database_failed postgresql.log 'PostgreSQL did not start'
    note "PostgreSQL $(<"$pgdata/PG_VERSION") runs as $(cluster_user), reached through $db_host only"
}

database_failed() {
    if grep -q 'No space left on device' "$state/log/$1"; then die "the disk that holds $state is full: $2"; fi
    log_tail "$state/log/$1" 8
    die "$2 (all of it: $state/log/$1)"
}

# The server that DB_HOST, DB_PORT, DB_NAME, DB_USER, DB_PASSWORD name. gremioctl init says what is wrong with it.
database_given() {
    db_host=$DB_HOST db_port=${DB_PORT:-5432} db_name=${DB_NAME:-gremio} db_user=${DB_USER:-postgres}
    db_password=${DB_PASSWORD-}
    unset DB_HOST DB_PORT DB_NAME DB_USER DB_PASSWORD
    note "the server at $db_host, port $db_port, database $db_name"
}
