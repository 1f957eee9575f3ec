# SPDX-License-Identifier: LicenseRef-Gremio
"""Many connections that do nothing, and no descriptors left; see tests/soak/edge-many."""
import http.client, resource, sys, time
from edge import Good, HOST, PORT, connections, cpu_seconds, log_lines, opened, result, rss_kb, serving, token, until
import edge

IDLE, SECONDS = int(sys.argv[1]), float(sys.argv[2])
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def healthy():
    try:
        c = http.client.HTTPConnection(HOST, PORT, timeout=5)
        c.request("GET", "/healthz")
        good = c.getresponse().status == 200
        c.close()
        return good
    except OSError:
        return False


def busy(pid, seconds):
    """Share of one processor."""
    cpu, begin = cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)
    return (cpu_seconds(pid) - cpu) / (time.monotonic() - begin)


def idle_connections(pid, bearer):
    before = Good(bearer, SECONDS).p()
    rss = rss_kb(pid)
    held = opened(IDLE)
    until(lambda: connections() >= len(held), 30)
    grown = rss_kb(pid) - rss
    share = busy(pid, 3)
    with_them = Good(bearer, SECONDS).p()
    text = (f"{len(held):,} idle connections: {grown / len(held):.2f} KB each, {share * 100:.1f} % of a processor; good client p99 "
            f"{with_them['p99']:.1f} ms with them, {before['p99']:.1f} ms without, ratio {with_them['p99'] / before['p99']:.2f}, "
            f"{with_them['bad']} of {with_them['n']} failed")
    result(5, len(held) >= IDLE * 0.99 and with_them["bad"] == 0 and grown <= 50 * 1024, text)
    for s in held:
        s.close()
    until(lambda: connections() <= 1, 30)


def no_descriptors(pid):
    was = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (256, was[1]))
    lines, held = log_lines(), opened(1000)
    share = busy(pid, SECONDS)
    written = log_lines() - lines
    for s in held:
        s.close()
    back = until(healthy, 20)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, was)
    text = (f"{len(held):,} clients and 256 descriptors: {share * 100:.1f} % of a processor, {written} lines of log in {SECONDS:.0f} s, "
            f"service back {'never' if back is None else f'after {back:.2f} s'}")
    result(7, len(held) >= 900 and share < 0.2 and written <= SECONDS + 1 and back is not None, text)


bearer, pid = token(), serving()
idle_connections(pid, bearer)
no_descriptors(pid)
sys.exit(edge.failed)
