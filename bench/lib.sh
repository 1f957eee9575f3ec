# shellcheck shell=bash
# SPDX-License-Identifier: LicenseRef-Gremio
# What bench/overload and bench/noisy share: a stack of their own, practices with data, the open-loop client.

sql() { psql -qAtX -v ON_ERROR_STOP=1 -h "$GREMIO_PG" -U "$GREMIO_DB_SUPERUSER" -d "$GREMIO_DB" "$@"; }

# Starts this very script again inside a stack, of the folder of programs $bin or else of a fresh release.
bench_stack() { # SCRIPT WITH-STACK-OPTION...
  local script=$1
  shift
  if [[ -z $bin ]]; then
    cmake --preset release >/dev/null && cmake --build build/release | tail -1
    bin=build/release/bin
  fi
  BENCH_INSIDE=1 exec tests/support/with-stack --durable --tenants "$tenants" --set-worker api_slots="$slots" \
    --set-router requests_per_connection=1000000 --set-router connections_per_address=10000 "$@" "$bin" -- "$script" "${arguments[@]}"
}

# Inside: $work/tokens gets "TOKEN STAFF_ID" of each practice's owner, every practice 200 appointments. What is to be
# measured runs for a moment, so that plans and caches are there.
bench_prepare() { # OP...
  local code email token staff op
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  cc -O2 -D_GNU_SOURCE bench/open_loop.c -o "$work/open_loop" -lm
  while IFS='|' read -r code email; do
    sql -v appointments=200 -c "SET search_path = t_$code" -f bench/seed.sql
    token=$(curl -sf "$GREMIO_URL/api/v1/auth/login" -H 'Content-Type: application/json' \
      -d "{\"email\":\"$email\",\"password\":\"$GREMIO_PASSWORD\"}" | jq -r .access_token)
    staff=$(curl -sf "$GREMIO_URL/api/v1/me" -H "Authorization: Bearer $token" | jq -r .id)
    echo "$token $staff" >>"$work/tokens"
  done < <(sql -c "SELECT code, replace(slug, 'practice', 'owner') || '@example.com' FROM public.tenant ORDER BY created_at")
  for op in read "$@"; do load 3 "warm,$op,-16,$work/tokens" >/dev/null; done
}

load() { $client "$work/open_loop" "$GREMIO_HOST" "$GREMIO_PORT" "$@"; }

# Prints PID and everything below it.
tree() {
  local child
  echo "$1"
  for child in $(pgrep -P "$1"); do tree "$child"; done
}
postmaster() { head -1 "$GREMIO_PGDATA/postmaster.pid"; }

# As if the clients were another machine: they get the first core, everything else the others.
client=''
stand_apart() {
  local pid
  for pid in $(tree "$GREMIO_ROUTER_PID") $(tree "$GREMIO_WORKER_PID") $(tree "$(postmaster)"); do
    taskset -acp "1-$(($(nproc) - 1))" "$pid" >/dev/null
  done
  client='taskset -c 0'
}

# "router=1.23 slots=0.45 postgresql=6.78", CPU seconds until now.
cpu() {
  local name pid
  for name in "router $GREMIO_ROUTER_PID" "slots $GREMIO_WORKER_PID" "postgresql $(postmaster)"; do
    for pid in $(tree "${name#* }"); do sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null; done |
      awk -v name="${name% *}" -v hz="$(getconf CLK_TCK)" '{ s += $12 + $13 } END { printf "%s=%.2f ", name, s / hz }'
  done
}

# One named figure ("p99") of a line of open_loop.
figure() { sed -E "s/.* $2=([0-9.]+).*/\1/" <<<"$1"; } # LINE NAME
calc() { awk "BEGIN{printf \"%.${2:-2f}\", ($1)}"; }    # EXPRESSION FORMAT

# Resident memory of all router processes, KiB.
router_rss() {
  local pid total=0
  for pid in "$GREMIO_ROUTER_PID" $(pgrep -P "$GREMIO_ROUTER_PID"); do
    total=$((total + $(awk '/^VmRSS:/{print $2}' "/proc/$pid/status")))
  done
  echo "$total"
}
