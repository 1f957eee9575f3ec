# SPDX-License-Identifier: LicenseRef-Gremio
"""What the edge tests share inside a stack of with-stack: a good client in a process of its own, watching the router,
connections that misbehave, result lines."""
import http.client, json, os, re, selectors, socket, subprocess, sys, time, urllib.request

HOST, PORT = os.environ["GREMIO_HOST"], int(os.environ["GREMIO_PORT"])
STATE, ROUTER = os.environ["GREMIO_STATE"], int(os.environ["GREMIO_ROUTER_PID"])
failed = False


def result(promise, good, text):
    global failed
    failed |= not good
    print(f"promise {promise}: {'ok' if good else 'FAIL'}: {text}", flush=True)


def say(text):
    print(f"  {text}", file=sys.stderr, flush=True)


def token(email="owner-a@example.com"):
    body = json.dumps({"email": email, "password": os.environ["GREMIO_PASSWORD"]})
    c = http.client.HTTPConnection(HOST, PORT, timeout=30)
    c.request("POST", "/api/v1/auth/login", body, {"Content-Type": "application/json"})
    return json.load(c.getresponse())["access_token"]


def good_client(bearer, seconds):
    """One request of one kept-alive connection every 5 ms. Returns sorted milliseconds and the number of failures."""
    took, bad, c = [], 0, None
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.monotonic()
        try:
            c = c or http.client.HTTPConnection(HOST, PORT, timeout=30)
            c.request("GET", "/api/v1/me", headers={"Authorization": "Bearer " + bearer})
            r = c.getresponse()
            r.read()
            bad += r.status != 200
            if r.getheader("Connection") == "close":
                c = None
        except OSError:
            bad, c = bad + 1, None
        took.append((time.monotonic() - begin) * 1000)
        time.sleep(0.005)
    return sorted(took), bad


class Good:
    """The same in the background; ask with p()."""

    def __init__(self, bearer, seconds):
        self.child = subprocess.Popen([sys.executable, __file__, "good", bearer, str(seconds)], stdout=subprocess.PIPE)

    def p(self):
        took, bad = json.loads(self.child.communicate()[0])
        return {"n": len(took), "bad": bad, "p50": took[len(took) // 2], "p99": took[int(len(took) * 0.99)]}


def serving():
    """The process that serves: the router's last child, or itself."""
    out = subprocess.run(["pgrep", "-P", str(ROUTER)], capture_output=True, text=True).stdout.split()
    return int(out[-1]) if out else ROUTER


def rss_kb(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def log_lines():
    with open(os.path.join(STATE, "log", "router.log"), "rb") as f:
        return sum(1 for line in f if b'"event":"request"' not in line)


def connections():
    text = urllib.request.urlopen(f"http://{os.environ['GREMIO_METRICS']}/metrics", timeout=60).read().decode()
    return int(float(re.search(r"^gremio_router_connections (\S+)", text, re.M)[1]))


def until(what, seconds=60):
    """Seconds until it is true; None when it does not come."""
    begin = time.monotonic()
    while time.monotonic() - begin < seconds:
        if what():
            return time.monotonic() - begin
        time.sleep(0.05)
    return None


def opened(n):
    """n connections; fewer when the server or the system takes no more."""
    out = []
    for i in range(n):
        s = socket.socket()
        s.bind((f"127.0.1.{1 + i % 250}", 0))
        s.settimeout(5)
        try:
            s.connect((HOST, PORT))
        except OSError:
            s.close()
            break
        s.setblocking(False)
        out.append(s)
    return out


class Drips:
    """Connections that send a first text, then a byte a tenth of a second. lives(): how long each was kept, in order."""

    def __init__(self, n, first, byte):
        self.byte, self.ends, self.begin = byte, {}, time.monotonic()
        self.selector = selectors.DefaultSelector()
        for s in opened(n):
            s.send(first)
            self.selector.register(s, selectors.EVENT_READ)

    def turn(self):
        for key, _ in self.selector.select(0.1):
            try:
                over = not key.fileobj.recv(65536)
            except BlockingIOError:
                continue
            except OSError:
                over = True
            if over:
                self.end(key.fileobj)
        for key in list(self.selector.get_map().values()):
            try:
                key.fileobj.send(self.byte)
            except BlockingIOError:
                pass
            except OSError:
                self.end(key.fileobj)

    def end(self, s):
        self.ends[s] = time.monotonic() - self.begin
        self.selector.unregister(s)
        s.close()

    def lives(self, limit):
        while self.selector.get_map() and time.monotonic() - self.begin < limit:
            self.turn()
        return sorted(self.ends.values()), len(self.selector.get_map())


if __name__ == "__main__" and sys.argv[1:2] == ["good"]:
    print(json.dumps(good_client(sys.argv[2], float(sys.argv[3]))))
