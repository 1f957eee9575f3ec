# shellcheck shell=bash
# SPDX-License-Identifier: LicenseRef-Gremio
# What bench/overload and bench/noisy share, inside a running stack: practices with data, tokens, the open-loop client.

sql() { psql -qAtX -v ON_ERROR_STOP=1 -h "$GREMIO_PG" -U "$GREMIO_DB_SUPERUSER" -d "$GREMIO_DB" "$@"; }

# "TOKEN STAFF_ID" of the owner of each practice of the stack, in the order they were made, into FILE.
seed_and_log_in() { # FILE
  local code email token staff
  : >"$1"
  while IFS='|' read -r code email; do
    sql -v appointments=200 -c "SET search_path = t_$code" -f bench/seed.sql
    token=$(curl -sf "$GREMIO_URL/api/v1/auth/login" -H 'Content-Type: application/json' \
      -d "{\"email\":\"$email\",\"password\":\"$GREMIO_PASSWORD\"}" | jq -r .access_token)
    staff=$(curl -sf "$GREMIO_URL/api/v1/me" -H "Authorization: Bearer $token" | jq -r .id)
    echo "$token $staff" >>"$1"
  done < <(sql -c "SELECT code, replace(slug, 'practice', 'owner') || '@example.com' FROM public.tenant ORDER BY created_at")
}

build_open_loop() { # FILE
  cc -O2 -D_GNU_SOURCE bench/open_loop.c -o "$1" -lm
}

# One named figure ("p99") of a line of open_loop.
figure() { # LINE NAME
  sed -E "s/.* $2=([0-9.]+).*/\1/" <<<"$1"
}

# Resident memory of all router processes, KiB.
router_rss() {
  local pid total=0
  for pid in "$GREMIO_ROUTER_PID" $(pgrep -P "$GREMIO_ROUTER_PID"); do
    total=$((total + $(awk '/^VmRSS:/{print $2}' "/proc/$pid/status")))
  done
  echo "$total"
}
