# shellcheck shell=bash
# Builds with the CMake presets, and the web assets. Needs base.sh and packages.sh.

# build_preset NAME LOG
build_preset() {
    local folder=$project/build/$1 log=$2
    mkdir -p "$folder"
    disk_require "$folder" 200
    : >"$log"
    if [[ ! -f $folder/build.ninja ]]; then
        (cd "$project" && cmake --preset "$1") >>"$log" 2>&1 || build_failed "configuring $1" "$log"
    fi
    NINJA_STATUS='%p %f of %t ' cmake --build "$folder" 2>&1 | tee -a "$log" | build_percent | progress_show
    ((PIPESTATUS[0] == 0)) || build_failed "building $1" "$log"
}

build_percent() {
    awk '$1 ~ /^[0-9]+%$/ { sub(/%/, "", $1); print; fflush() }'
}

build_failed() {
    if grep -q 'No space left on device' "$2"; then die "the disk is full: $1 needs more room in $project/build"; fi
    grep -E -A 8 'error:|FAILED|CMake Error' "$2" | head -n 30 | sed 's/^/      | /' >&2
    die "$1 failed (all of it: $2)"
}

# build_web LOG: what the router serves as files. The pages that mails lead to are copied; the API's documentation is made by npm
# once, and without npm only that is missing.
build_web() {
    local log=$1 out=$project/build/web
    if [[ -f $out/made && -z $(find "$project/web" -name node_modules -prune -o -type f -newer "$out/made" -print) ]]; then
        note 'already there'
        return 0
    fi
    "$project/web/build" --account "$out" || die 'the pages that mails lead to could not be made'
    if (packages_ensure_npm "$log") && "$project/web/build" "$out" >>"$log" 2>&1; then
        touch "$out/made"
    else
        log_tail "$log" 5
        note 'the pages of /api/docs/ could not be made; everything else works without them'
    fi
}
