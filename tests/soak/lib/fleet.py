#!/usr/bin/env python3
# SPDX-License-Identifier: LicenseRef-Gremio
# Inside a stack: imports SOAK_TENANTS practices, creates single ones beside requests of others, and migrates all of them under
# traffic: once in peace, once killed SOAK_KILLS times while PostgreSQL is stopped SOAK_STOPS times.
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

env = os.environ
state, project = env["GREMIO_STATE"], os.path.realpath(os.path.join(os.path.dirname(__file__), "../../.."))
ctl = [env["GREMIO_BIN"] + "/gremioctl", "--config", state + "/conf/gremioctl.conf", "--set", f"sql_dir={state}/sql-soak"]
tenants, kills, stops, seconds = (int(env["SOAK_" + n]) for n in ("TENANTS", "KILLS", "STOPS", "SECONDS"))
owners = env.get("SOAK_OWNERS", "owner-a@example.com owner-b@example.com owner-c@example.com owner-d@example.com").split()
MEXICO = ["--sector", "dental", "--country", "MX", "--time-zone", "America/Mexico_City", "--locale", "es-MX", "--currency", "MXN"]
failed = False


def tell(text):
    print(text, file=sys.stderr, flush=True)


def result(what, good, text):
    global failed
    failed = failed or not good
    print(f"{what}: {'ok' if good else 'FAIL'}: {text}", flush=True)


def sql(text):
    command = ["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-h", env["GREMIO_PG"], "-U", env["GREMIO_DB_SUPERUSER"], "-d", env["GREMIO_DB"], "-c", text]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def gremioctl(*words):
    return subprocess.run([*ctl, *words], capture_output=True, text=True)


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


# -- requests ------------------------------------------------------------------------------------------------------------------


class Client:
    def __init__(self, email=None):
        self.http, self.token = None, None
        if email:
            body = json.dumps({"email": email, "password": env["GREMIO_PASSWORD"]})
            status, answer = self.send("POST", "/api/v1/auth/login", body)
            self.token = json.loads(answer)["access_token"] if status == 200 else None

    def send(self, method, path, body=None):
        headers = {"Content-Type": "application/json"} if body else {}
        if getattr(self, "token", None):
            headers["Authorization"] = "Bearer " + self.token
        try:
            if not self.http:
                self.http = http.client.HTTPConnection(env["GREMIO_HOST"], int(env["GREMIO_PORT"]), timeout=40)
            self.http.request(method, path, body, headers)
            answer = self.http.getresponse()
            text = answer.read()
            if answer.will_close:
                self.close()
            return answer.status, text
        except (OSError, http.client.HTTPException):
            self.close()
            return 0, b""

    def close(self):
        if self.http:
            self.http.close()
        self.http = None

    def timed(self):
        begin = time.perf_counter()
        status, _ = self.send("GET", "/api/v1/clients?limit=1")
        return (time.perf_counter() - begin) * 1000, status


class Traffic(threading.Thread):
    """Requests of one practice at an even pace, whatever they take; late ones count from when they were due."""

    def __init__(self, email, rate):
        super().__init__(daemon=True)
        self.client, self.pause, self.going, self.took, self.errors = Client(email), 1 / rate, True, [], 0

    def run(self):
        due = time.perf_counter()
        while self.going:
            time.sleep(max(0, due - time.perf_counter()))
            _, status = self.client.timed()
            self.took.append((time.perf_counter() - due) * 1000)
            self.errors += status != 200
            due = max(due + self.pause, time.perf_counter() - 1)


def under_traffic(work):
    """What work returned, latencies of others meanwhile, how many were not 200."""
    all_of_them = [Traffic(email, 25) for email in owners]
    for t in all_of_them:
        t.start()
    value = work()
    for t in all_of_them:
        t.going = False
    for t in all_of_them:
        t.join()
    return value, [ms for t in all_of_them for ms in t.took], sum(t.errors for t in all_of_them)


# -- creating ------------------------------------------------------------------------------------------------------------------


def import_many():
    path = state + "/soak.csv"
    with open(path, "w", encoding="utf-8") as f:
        f.write("slug,name,owner_email,password\n")
        f.writelines(f"soak-{i},Práctica {i},soak-{i}@example.com,{env['GREMIO_PASSWORD']}\n" for i in range(1, tenants + 1))
    said = json.loads(gremioctl("--json", "tenant", "import", path, *MEXICO).stdout)["import"]
    rate = said["created"] / said["seconds"]
    result("figure tenants_per_second", said["failed"] == said["left"] == 0,
           f"{said['created']:,} created by two workers in {said['seconds']:.0f} s, {rate:.1f} a second")


def create_one(i):
    words = ["tenant", "create", f"new-{i}", "--name", "Nueva", "--owner-email", f"new-{i}@example.com", *MEXICO]
    return gremioctl(*words, "--owner-password-file", state + "/soak-password").returncode == 0


def first_requests():
    """Others' requests right after a creation, beside others' requests right after a gremioctl that changes nothing."""
    others, took, errors = [Client(email) for email in owners], {"idle": [], "created": []}, 0
    for i in range(max(20, seconds)):
        for kind in took:
            good = create_one(i) if kind == "created" else gremioctl("migrate", "status").returncode == 0
            for ms, status in (c.timed() for _ in range(4) for c in others):
                took[kind].append(ms)
                good = good and status == 200
            errors += not good
        new = Client(f"new-{i}@example.com")
        errors += not new.token or new.timed()[1] != 200
    idle, created = (percentile(took[kind], 0.99) for kind in took)
    members = sql("select count(*) from pg_auth_members m join pg_roles r on r.oid = m.member where r.rolname = 'gremio_pool_00'")
    result("promise 41", errors == 0 and created - idle <= 5,
           f"p99 of others rises by {created - idle:.1f} ms ({idle:.1f} to {created:.1f}, {members} practices in the pool), "
           f"{len(took['created']):,} requests after {len(took['created']) // (4 * len(owners))} creations, {errors} errors, the new one's first included")


# -- migrating -----------------------------------------------------------------------------------------------------------------


def write_migration():
    folder = state + "/sql-soak/tenant_template"
    version = max(int(name[:4]) for name in os.listdir(folder) if name.endswith(".sql")) + 1
    with open(f"{folder}/{version:04}_soak.sql", "w", encoding="utf-8") as f:
        f.write(f"CREATE TABLE soak_{version}(id uuid PRIMARY KEY, a int);\nGRANT SELECT ON soak_{version} TO :tenant;\n"
                f"CREATE INDEX soak_{version}_a ON soak_{version}(a);\nALTER TABLE client ADD COLUMN soak_{version} text;\n"
                f"CREATE INDEX client_soak_{version} ON client(soak_{version});\n")
    return version


def at_version(version):
    return int(sql(f"select count(*) from public.tenant where schema_version >= {version}"))


def in_between(version):
    """Practices that have a part of the file only, or another part than their version says."""
    names = ", ".join(f"'{n}'" for n in (f"soak_{version}", f"soak_{version}_pkey", f"soak_{version}_a", f"client_soak_{version}"))
    return int(sql("select count(*) from public.tenant t where (select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace"
                   f" where n.nspname = 't_' || t.code and c.relname in ({names})) <> case when schema_version >= {version} then 4 else 0 end"))


def status_of_all():
    begin = time.perf_counter()
    good = gremioctl("migrate", "status").returncode == 0 and gremioctl("migrate", "run").returncode == 0
    result("figure migrate_status", good, f"status and an empty run over {at_version(0):,} practices took {time.perf_counter() - begin:.2f} s together")


def migrate_in_peace():
    _, before, errors_before = under_traffic(lambda: time.sleep(max(5, seconds / 4)))
    write_migration()
    said, during, errors = under_traffic(lambda: json.loads(gremioctl("--json", "migrate", "run", "--parallel", "2").stdout)["run"])
    a, b = percentile(before, 0.99), percentile(during, 0.99)
    result("figure migration", said["failed"] == said["left"] == 0 and errors == errors_before == 0,
           f"{said['migrated']:,} migrated in {said['seconds']:.1f} s, {said['migrated'] / said['seconds']:.0f} a second; each locked for at most "
           f"{said['longest_ms']:.0f} ms; p99 of live requests {b / a:.2f} times that before ({a:.1f}, {b:.1f} ms), {errors} errors")


def stop_postgresql():
    pg_ctl = [env["GREMIO_PG_BIN"] + "/pg_ctl", "-D", env["GREMIO_PGDATA"], "-w"]
    user = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups"] if os.geteuid() == 0 else []
    for words in (["stop", "-m", "immediate"], ["start", "-l", "/dev/null", "-t", "300"]):
        subprocess.run([*user, *pg_ctl, *words], check=True, stdout=subprocess.DEVNULL, cwd="/")


def one_round(version, goal, kill):
    """Lets a run reach goal practices, then kills it, or PostgreSQL under it."""
    run = subprocess.Popen([*ctl, "--json", "migrate", "run", "--parallel", "2"], stdout=subprocess.DEVNULL)
    while at_version(version) < goal and run.poll() is None:
        time.sleep(0.02)
    early = run.poll() is not None
    if kill:
        run.send_signal(signal.SIGKILL)
    else:
        stop_postgresql()
        goal_after = min(goal + 1, at_version(0))
        while at_version(version) < goal_after and run.poll() is None:
            time.sleep(0.02)
        run.send_signal(signal.SIGKILL)
    run.wait()
    return in_between(version), early


def migrate_killed():
    version, total, mixed, early = write_migration(), at_version(0), 0, 0
    rounds = [True] * kills
    for i in range(stops):
        rounds.insert((i + 1) * len(rounds) // (stops + 1), False)
    for i, kill in enumerate(rounds):
        found, done = one_round(version, (i + 1) * total // (len(rounds) + 2), kill)
        mixed, early = mixed + found, early + done
        tell(f"fleet: {'killed' if kill else 'PostgreSQL stopped'} at {at_version(version)} of {total}, {found} in between")
    end = gremioctl("migrate", "run")
    left = total - at_version(version) + in_between(version)
    result("promise 56", end.returncode == 0 and mixed == left == early == 0,
           f"{total:,} practices, killed {kills} times, PostgreSQL {stops} times: {mixed} in between then, {left} behind at the end")


shutil.copytree(project + "/sql", state + "/sql-soak")
with open(state + "/soak-password", "w", encoding="utf-8") as password:
    password.write(env["GREMIO_PASSWORD"])
import_many()
status_of_all()
first_requests()
migrate_in_peace()
migrate_killed()
sys.exit(failed)
