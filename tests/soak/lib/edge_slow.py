# SPDX-License-Identifier: LicenseRef-Gremio
"""slowhttptest's three attacks on a stack, one after another; see tests/soak/edge-slow."""
import os, subprocess, sys
from edge import Drips, Good, HOST, PORT, connections, result, rss_kb, say, serving, token, until
import edge

CLIENTS, SECONDS, HEADER_S, BODY_S = int(sys.argv[1]), float(sys.argv[2]), 10.0, 10.0
URL = f"http://{HOST}:{PORT}"
STATIC = os.path.join(os.environ["GREMIO_STATE"], "static", "big.js")
POST = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n\r\n"
ATTACKS = {
    # name: promise, slowhttptest's options, what our own dripping connections send, seconds they may live
    "-H slow headers": (5, ["-H", "-i", "1", "-u", URL + "/healthz"], (b"GET / HTTP/1.1\r\nX: ", b"a"), HEADER_S),
    "-B slow bodies": (6, ["-B", "-i", "1", "-s", "4000", "-f", "application/json", "-u", URL + "/api/v1/auth/login"], (POST, b" "), BODY_S),
    "-X slow reading": (6, ["-X", "-n", "1", "-z", "5", "-w", "1", "-y", "64", "-u", URL + "/big.js"], None, None),
}

with open(STATIC, "wb") as f:
    f.write(b"/* more than the kernel takes of an answer nobody reads */\n" * 4500)
bearer, pid = token(), serving()
for name, (promise, options, drip, limit) in ATTACKS.items():
    idle = Good(bearer, SECONDS).p()
    rss = rss_kb(pid)
    attack = subprocess.Popen(
        ["slowhttptest", "-c", str(CLIENTS), "-r", str(CLIENTS // 4), "-l", str(int(SECONDS) + 14), "-p", "3", "-v", "0", *options],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: connections() > CLIENTS // 8 or attack.poll() is not None, 5)
    drips = Drips(50, *drip) if drip else None
    good = Good(bearer, SECONDS)
    most, held = 0, 0
    while good.child.poll() is None:
        most, held = max(most, rss_kb(pid)), max(held, connections())
        if drips:
            drips.turn()
        else:
            until(lambda: good.child.poll() is not None, 0.2)
    under = good.p()
    closed = ""
    if drips:
        ends, left = drips.lives(limit * 1.5)
        fine = left == 0 and ends[-1] <= limit * 1.1
        closed = f"; dripping connections closed after {ends[0]:.2f} to {ends[-1]:.2f} s" if left == 0 else f"; {left} dripping connections stay open"
    else:
        fine = True
    attack.wait()
    gone = until(lambda: connections() <= 2, 60)
    grown = max(0, most - rss) // 1024
    text = (f"slowhttptest {name}, {CLIENTS} clients ({held} connections held): good client p99 {under['p99']:.1f} ms under attack, "
            f"{idle['p99']:.1f} ms idle, ratio {under['p99'] / idle['p99']:.2f}, {under['bad']} of {under['n']} failed; "
            f"memory grew {grown} MB{closed}")
    result(promise, fine and under["bad"] == 0 and grown <= 50 and gone is not None and held > CLIENTS // 50, text)
sys.exit(edge.failed)
