# SPDX-License-Identifier: LicenseRef-Gremio
"""Sends every HTTP/1.1 vector through a front (nginx, haproxy) or directly to a probe, and compares after each how many
requests the front says it handed on with how many the probe saw. Behind each vector a canary must get its own echo:
nothing of the vector was left in a connection that others share.
  vectors.py FRONT PORT FRONT_LOG PROBE_LOG VECTORS.json.gz      FRONT: nginx, haproxy or direct; one JSON line on stdout"""
import base64, gzip, json, re, socket, sys, time

front, port, front_log, probe_log, vectors = sys.argv[1:6]
QUIET, WHOLE, SETTLE = 0.15, 2.5, 3.0
found = {"front": front, "vectors": 0, "forwarded": 0, "seen": 0, "mismatches": [], "canaries_lost": [], "refusals": 0, "no_problem": []}


def lines(path):
    with open(path, "rb") as f:
        return [line for line in f.read().decode("latin-1").split("\n")[:-1]]


def forwarded():
    """Requests the front believes it sent on."""
    if front == "nginx":
        return sum(1 for line in lines(front_log) if line.split("|")[0] not in ("", "-"))
    if front == "haproxy":
        return sum(1 for line in lines(front_log) if re.match(r"probe \d", line))
    return seen()


def seen():
    return sum(1 for line in lines(probe_log) if re.match(r"\d{3} ", line))


def exchange(parts):
    """Sends the parts (bytes, pause in seconds) on one connection; what came back."""
    out = b""
    with socket.create_connection(("127.0.0.1", int(port)), timeout=5) as s:
        try:
            for data, pause in parts:
                s.sendall(data)
                time.sleep(pause)
            end = time.monotonic() + WHOLE
            while time.monotonic() < end:
                s.settimeout(QUIET if b"\r\n\r\n" in out else max(0.05, end - time.monotonic()))
                got = s.recv(65536)
                if not got:
                    break
                out += got
        except (socket.timeout, ConnectionError):
            pass
    return out


def parts_of(test):
    if test["kind"] == "single":
        return [(base64.b64decode(test["payload_b64"]), 0)]
    return [(base64.b64decode(p["b64"]), p.get("delay_ms", 0) / 1000) for step in test["steps"] for p in step.get("parts", [])]


def canary(number):
    body = b"canary-%d" % number
    got = exchange([(b"POST /canary HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body), 0)])
    return got.startswith(b"HTTP/1.1 200 ") and got.endswith(b"\r\n\r\n" + body)


def settled():
    """Waits until both sides count the same, since logs are written at a connection's end."""
    end = time.monotonic() + SETTLE
    while forwarded() != seen() and time.monotonic() < end:
        time.sleep(0.05)
    return forwarded() == seen()


def scan(name, answer):
    """Every refusal the probe itself gave is a problem document with its request_id."""
    for at in re.finditer(rb"HTTP/1\.1 ([345]\d\d) ", answer):
        head, _, rest = answer[at.start():].partition(b"\r\n\r\n")
        found["refusals"] += 1
        length = re.search(rb"\r\nContent-Length: (\d+)", head)
        body = rest[: int(length[1])] if length else b""
        try:
            p = json.loads(body)
            good = b"\r\nContent-Type: application/problem+json" in head and p["status"] == int(at[1]) and p["code"] and \
                b"X-Request-Id: " + p["request_id"].encode() in head
        except (ValueError, KeyError):
            good = not rest and b"\r\nContent-Type: application/problem+json" in head  # an answer to HEAD
        if not good:
            found["no_problem"].append(name)


behind = 0
for number, test in enumerate(json.load(gzip.open(vectors))["tests"]):
    found["vectors"] += 1
    answer = exchange(parts_of(test))
    if front == "direct":
        scan(test["id"], answer)
    if not canary(number):
        found["canaries_lost"].append(test["id"])
    if not settled() and forwarded() - seen() != behind:
        behind = forwarded() - seen()
        found["mismatches"].append(f"{test['id']}: {behind:+d}")
found["forwarded"], found["seen"] = forwarded(), seen()
print(json.dumps(found))
