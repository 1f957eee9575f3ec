# shellcheck shell=bash
# A private PostgreSQL cluster: found, initialised, started, stopped. Reached through a Unix socket only; never run as
# root (as root it belongs to the OS user postgres). Needs base.sh and process.sh.

cluster_oldest=15

# Folders that may hold the server's programs, one a line.
cluster_bindirs() {
    if [[ -n ${GREMIO_PG_BINDIR-} ]]; then
        printf '%s\n' "$GREMIO_PG_BINDIR"
        return
    fi
    compgen -G '/usr/lib/postgresql/*/bin' || true
    compgen -G '/usr/pgsql-*/bin' || true
    if command -v postgres >/dev/null; then dirname "$(readlink -f "$(command -v postgres)")"; fi
}

# The major version of the server in folder $1, or nothing.
cluster_major() {
    [[ -x $1/postgres && -x $1/initdb ]] || return 0
    "$1/postgres" --version | sed -nE 's/^[^0-9]*([0-9]+).*/\1/p'
}

# "MAJOR FOLDER" lines, newest first.
cluster_found() {
    local folder major
    while read -r folder; do
        major=$(cluster_major "$folder")
        [[ -z $major ]] || printf '%s %s\n' "$major" "$folder"
    done < <(cluster_bindirs) | sort -rn -u
}

# The folder of the server to use: of major $1 when given (existing data), else 15, else the newest; nothing if none fits.
cluster_bindir() {
    cluster_found | awk -v want="${1-}" -v oldest="$cluster_oldest" '
        $1 < oldest { next }
        want != "" { if ($1 == want) { print $2; exit }; next }
        { if (best == "" || $1 == oldest) best = $2 }
        END { if (want == "" && best != "") print best }'
}

# cluster_pick DATA: sets cluster_bin, or says why it cannot be.
cluster_pick() {
    local want='' found
    [[ ! -f $1/PG_VERSION ]] || want=$(<"$1/PG_VERSION")
    if [[ -n $want ]] && ((want < cluster_oldest)); then
        die "the data in $1 is of PostgreSQL $want, and Gremio needs $cluster_oldest or newer: upgrade it with pg_upgrade"
    fi
    cluster_bin=$(cluster_bindir "$want")
    [[ -z $cluster_bin ]] || return 0
    found=$(cluster_found | awk '{ printf "%s%s", sep, $1; sep = ", " }')
    [[ -z $want ]] || die "the data in $1 is of PostgreSQL $want, and no server of that version is installed"
    die "PostgreSQL $cluster_oldest or newer is needed, and ${found:-none} is installed"
}

# The OS user that owns and runs the cluster.
cluster_user() { if ((EUID == 0)); then echo postgres; else id -un; fi; }

# Runs a command as that user.
cluster_run() {
    if ((EUID == 0)); then
        (cd / && setpriv --reuid postgres --regid postgres --init-groups env HOME=/tmp "$@")
    else
        "$@"
    fi
}

# A folder of the cluster user's own: cluster_folder PATH MODE.
cluster_folder() {
    mkdir -p "$1"
    ((EUID != 0)) || chown postgres:postgres "$1"
    chmod "$2" "$1"
}

# cluster_init DATA LOG [INITDB OPTION...]: all or nothing; a half-made folder never gets the name DATA.
cluster_init() {
    local data=$1 log=$2 fresh=$1.new
    shift 2
    rm -rf "$fresh"
    cluster_folder "$fresh" 0700
    cluster_run "$cluster_bin/initdb" -D "$fresh" -U postgres -E UTF8 --locale=C.UTF-8 --data-checksums \
        --auth-local=peer --auth-host=scram-sha-256 "$@" >>"$log" 2>&1 || return 1
    cluster_access "$fresh"
    echo "include 'gremio.conf'" >>"$fresh/postgresql.conf"
    mv -T "$fresh" "$data"
}

# Who may log in: the superuser from this machine's cluster user or root, everybody else by password.
cluster_access() {
    printf 'local all postgres peer map=gremio\nlocal all all scram-sha-256\n' >"$1/pg_hba.conf"
    printf 'gremio "%s" postgres\n' postgres root "$(id -un)" | sort -u >"$1/pg_ident.conf"
}

# cluster_settings DATA SOCKETS [LINE...]: written at every start, so a moved folder keeps working.
cluster_settings() {
    local data=$1 sockets=$2
    shift 2
    cat >"$data/gremio.conf" <<CONF
# Written by scripts/lib/cluster.sh at every start.
listen_addresses = ''
unix_socket_directories = '${sockets//\'/\'\'}'
port = 5432
max_connections = 200
max_locks_per_transaction = 256
password_encryption = 'scram-sha-256'
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
jit = off
CONF
    (($# == 0)) || printf '%s\n' "$@" >>"$data/gremio.conf"
    ((EUID != 0)) || chown postgres:postgres "$data"/{gremio,pg_hba,pg_ident,postgresql}.conf
}

# Backends hold plans and catalogue entries of many practices; in large pages the processor finds them faster. glibc older than 2.35
# and other C libraries ignore it.
cluster_malloc=GLIBC_TUNABLES=glibc.malloc.hugetlb=1

# cluster_start DATA SOCKETS LOG [DEATH_SIGNAL]: true once it takes connections. Registers process "PostgreSQL".
cluster_start() {
    local data=$1 sockets=$2 log=$3 signal=${4-INT} as=()
    ((EUID != 0)) || as=(setpriv --reuid postgres --regid postgres --init-groups)
    process_start PostgreSQL "$log" keep "${as[@]}" env "$cluster_malloc" \
        setpriv --pdeathsig "$signal" "$cluster_bin/postgres" -D "$data"
    wait_until 60 cluster_answers_or_died "$sockets" && process_alive PostgreSQL
}

cluster_answers_or_died() { process_gone PostgreSQL || cluster_answers "$1"; }
cluster_answers() { "$cluster_bin/pg_isready" -q -h "$1" -p 5432; }

# A server that outlived its script (the machine was suspended, the script stopped by force) is stopped first.
cluster_stop_left_over() {
    local pid
    [[ -f $1/postmaster.pid ]] || return 0
    pid=$(head -n 1 "$1/postmaster.pid")
    kill -0 "$pid" 2>/dev/null || return 0
    cluster_run "$cluster_bin/pg_ctl" stop -D "$1" -m fast -t 60 >/dev/null 2>&1
}
