# shellcheck shell=bash
# The three settings files of a state folder. gremioctl's --help and each program's --check-config are the reference.

# settings_write STATE RUN LISTEN METRICS WEB: the database is db_host, db_port, db_name, db_user of the caller.
# Links in messages begin with url of the caller, or with LISTEN. RUN is the short folder for sockets; WEB holds the static files.
# shellcheck disable=SC2154
settings_write() {
    local conf=$1/conf secrets=$1/secrets run=$2 database
    database=$(printf 'db_host = %s\ndb_port = %s\ndb_name = %s' "$db_host" "$db_port" "$db_name")
    mkdir -p "$conf" "$1/mail"
    chmod 0700 "$1/mail"
    settings_file "$conf/router.conf" "listen = $3" "metrics_listen = $4" "slots_dir = $run/slots" \
        "static_dir = $5" "public_url = ${url-}" "db_password_file = $secrets/router.password" "$database"
    settings_file "$conf/worker.conf" "slots_dir = $run/slots" "pool_key_file = $secrets/pool.key" \
        "auth_password_file = $secrets/auth.password" "sealing_key_file = $secrets/sealing.key" \
        "jobs_password_file = $secrets/jobs.password" "jobs_slots = 1" "mail_dir = $1/mail" "public_url = ${url:-http://$3}" "$database"
    settings_file "$conf/gremioctl.conf" "secrets_dir = $secrets" "sql_dir = $project/sql" "db_user = $db_user" \
        "public_url = ${url:-http://$3}" "$database"
}

settings_file() {
    local file=$1
    shift
    printf '%s\n' '# Written at every start. Own settings: environment, e.g. GREMIO_HEADER_TIMEOUT=5s' "$@" >"$file"
}
