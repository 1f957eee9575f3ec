# shellcheck shell=bash
# What must be on the machine, found by what it gives (a program, a library) and installed by Debian's name for it.
# apt is called only when something is missing. Needs base.sh and cluster.sh.

# "PACKAGE KIND NAME": KIND cmd is a program in PATH, lib a pkg-config name, file a path.
packages_build='
gcc cmd cc
libc6-dev file /usr/include/stdio.h
cmake cmd cmake
ninja-build cmd ninja
pkg-config cmd pkg-config
libevent-dev lib libevent
libpq-dev lib libpq
libjwt-dev lib libjwt
libjson-c-dev lib json-c
libssl-dev lib openssl
libsodium-dev lib libsodium
libseccomp-dev lib libseccomp
libqrencode-dev lib libqrencode
libical-dev lib libical
libzxcvbn-dev file /usr/include/zxcvbn.h
curl cmd curl
ca-certificates file /etc/ssl/certs/ca-certificates.crt'
packages_test='
libcriterion-dev lib criterion
clang-format cmd clang-format
cppcheck cmd cppcheck
shellcheck cmd shellcheck
binutils cmd nm
librsvg2-bin cmd rsvg-convert
zbar-tools cmd zbarimg
jq cmd jq
python3-icalendar file /usr/lib/python3/dist-packages/icalendar/__init__.py
chromium cmd chromium
chromium-driver cmd chromedriver'

packages_there() {
    case $1 in
    cmd) command -v "$2" >/dev/null ;;
    lib) command -v pkg-config >/dev/null && pkg-config --exists "$2" ;;
    file) [[ -e $2 ]] ;;
    esac
}

# The packages of the given tables that are missing, one a line.
packages_missing() {
    local package kind name
    while read -r package kind name; do
        [[ -z $package ]] || packages_there "$kind" "$name" || echo "$package"
    done <<<"$(printf '%s\n' "$@")"
}

# Debian's own package of the server, by the oldest version Gremio takes when there is one.
packages_server() {
    if apt-cache show "postgresql-$cluster_oldest" >/dev/null 2>&1; then
        echo "postgresql-$cluster_oldest"
    else
        echo postgresql
    fi
}

packages_as_root() {
    if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

packages_require_root() {
    ((EUID != 0)) || return 0
    command -v sudo >/dev/null || die "missing: $*. Install them as root, or install sudo and this script does it"
    sudo -n true 2>/dev/null || [[ -t 0 ]] ||
        die "missing: $*. sudo asks for a password and there is no terminal to type it: install them as root"
    sudo -v || die "missing: $*. sudo does not let $(id -un) install them: ask an administrator"
}

# packages_install LOG PACKAGE...
packages_install() {
    local log=$1
    shift
    command -v apt-get >/dev/null || die "missing: $*. There is no apt-get here: install them by hand"
    packages_require_root "$@"
    note "installing: $*"
    packages_as_root env DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout=120 -o APT::Status-Fd=1 \
        install --no-install-recommends "$@" 2>&1 | tee -a "$log" | packages_percent | progress_show
    ((PIPESTATUS[0] == 0)) && return 0
    packages_failed "$log" "$@"
}

packages_percent() {
    awk -F: '/^(dl|pm)status:/ { printf "%d %s\n", $3, $4; fflush() }'
}

packages_failed() {
    local log=$1
    shift
    if grep -q 'No space left on device\|enough free space' "$log"; then
        die "the disk is full: apt could not install $*"
    fi
    log_tail "$log"
    die "apt could not install $* (all of it: $log)"
}

packages_refresh() {
    packages_as_root apt-get -q -o DPkg::Lock::Timeout=120 update >>"$1" 2>&1 ||
        note "apt-get update failed; going on with the package lists there are"
}

# Installing the server makes Debian start a cluster on port 5432, which nobody asked for: not while we install it.
packages_install_server() {
    local log=$1 folder=/etc/postgresql-common/createcluster.d file
    file=$folder/gremio-install.conf
    packages_require_root PostgreSQL
    packages_as_root sh -c "[ -e /etc/postgresql-common ] || { mkdir -p $folder && echo 'create_main_cluster = false' >$file; }"
    packages_install "$log" "$(packages_server)"
    packages_as_root rm -f "$file"
}

# packages_ensure LOG SERVER TABLE...: SERVER yes when a PostgreSQL server is needed.
packages_ensure() {
    local log=$1 server=$2 missing
    shift 2
    mapfile -t missing < <(packages_missing "$@")
    if [[ $server != yes || -n $(cluster_bindir) || -n ${GREMIO_PG_BINDIR-} ]]; then server=no; fi
    if [[ $server == no ]] && ((${#missing[@]} == 0)); then
        note 'nothing is missing'
        return 0
    fi
    : >"$log"
    command -v apt-get >/dev/null && packages_require_root "${missing[@]}" && packages_refresh "$log"
    ((${#missing[@]} == 0)) || packages_install "$log" "${missing[@]}"
    [[ $server == no ]] || packages_install_server "$log"
    mapfile -t missing < <(packages_missing "$@")
    ((${#missing[@]} == 0)) || die "still missing after the installation: ${missing[*]}"
}

# npm comes with some builds of nodejs and as a package of its own with Debian's.
packages_ensure_npm() {
    command -v npm >/dev/null && return 0
    : >"$1"
    packages_require_root npm
    packages_refresh "$1"
    command -v node >/dev/null || packages_install "$1" nodejs
    command -v npm >/dev/null || packages_install "$1" npm
}
