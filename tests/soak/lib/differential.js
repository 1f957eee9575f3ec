// SPDX-License-Identifier: LicenseRef-Gremio
// Sends mutated requests to a probe (gremio-router --probe-listen) and gives the same bytes to llhttp, Node's parser.
//   node differential.js PORT SECONDS SEED [VECTORS.json.gz]     one JSON document of counts on standard output
// What the server answers 2xx llhttp must have read too, with the same body. Each connection sends one mutant, closes
// its sending side and reads to the end, so nothing waits for a time-out.
'use strict';
const fs = require('fs');
const net = require('net');
const zlib = require('zlib');
const { HTTPParser } = require('_http_common');
const { mutant } = require('./mutate.js');

const [port, seconds, seed] = process.argv.slice(2, 5).map(Number);
const CONNECTIONS = 48;
const HEAD = 2; // in llhttp's numbering
const SHOWN = 20;

const extra = !process.argv[5] ? [] : JSON.parse(zlib.gunzipSync(fs.readFileSync(process.argv[5]))).tests
    .filter((t) => t.payload_b64).map((t) => Buffer.from(t.payload_b64, 'base64').toString('latin1'))
    .filter((s) => s.length < 2000);

const counts = {
    sent: 0, answers: 0, accepted: 0, refused: 0, both_whole: 0, stricter: 0,
    we_accept_llhttp_refuses: 0, llhttp_waits: 0, other_body: 0, other_count: 0, no_problem: 0, broken: 0, statuses: {},
};
const shown = [];

function find(kind, number, why) {
    counts[kind]++;
    if (shown.length < SHOWN) shown.push({ kind, number, why, bytes: mutant(seed, number, extra) });
}

// What llhttp understands: requests in order, and whether it refused the bytes in the end.
function reference(bytes) {
    const parser = new HTTPParser();
    const out = { requests: [], refused: false };
    let current = null;
    parser.initialize(HTTPParser.REQUEST, {});
    parser[HTTPParser.kOnHeaders | 0] = () => {};
    parser[HTTPParser.kOnHeadersComplete | 0] = (major, minor, headers, method, url, code, text, upgrade, keep) => {
        current = { head: method === HEAD, body: [], last: !keep || minor === 0, upgrade };
        return 0;
    };
    parser[HTTPParser.kOnBody | 0] = (part, from, n) => {
        current.body.push(Buffer.from(from === undefined ? part : part.subarray(from, from + n)));
    };
    parser[HTTPParser.kOnMessageComplete | 0] = () => {
        current.body = Buffer.concat(current.body);
        out.requests.push(current);
        current = null;
    };
    const result = parser.execute(bytes);
    out.refused = result instanceof Error;
    out.upgrade = out.requests.some((q) => q.upgrade);
    parser.remove?.();
    parser.close?.();
    return out;
}

// The final answers in what the server sent. heads(i): was request i a HEAD?
function answers(text, heads) {
    const out = [];
    for (let at = 0; at < text.length;) {
        const end = text.indexOf('\r\n\r\n', at);
        const status = /^HTTP\/1\.1 (\d{3}) /.exec(text.slice(at, at + 13));
        if (end < 0 || !status) return null;
        const head = text.slice(at, end + 2);
        at = end + 4;
        if (status[1] === '100') continue;
        const length = Number((/\r\nContent-Length: (\d+)\r\n/.exec(head) || [0, 0])[1]);
        // A refusal ends the connection, so nothing behind its head means that it answers HEAD.
        const bare = status[1] < '300' ? heads(out.length) : at === text.length;
        if (!bare && at + length > text.length) return null;
        out.push({ status: Number(status[1]), head, bare, body: bare ? '' : text.slice(at, at + length) });
        at += bare ? 0 : length;
    }
    return out;
}

function isProblem(a, bytes) {
    if (a.bare) return bytes.includes('HEAD ') && a.head.includes('\r\nContent-Type: application/problem+json\r\n');
    if (!a.head.includes('\r\nContent-Type: application/problem+json\r\n')) return false;
    try {
        const p = JSON.parse(Buffer.from(a.body, 'latin1').toString());
        return p.status === a.status && !!p.code && !!p.request_id && a.head.includes(`\r\nX-Request-Id: ${p.request_id}\r\n`);
    } catch {
        return false;
    }
}

function judgeAccepted(number, got, ref) {
    for (let i = 0; i < got.length; i++) {
        const theirs = ref.requests[i];
        if (!theirs) {
            if (ref.upgrade) return;
            find(ref.refused ? 'we_accept_llhttp_refuses' : 'llhttp_waits', number, `answer ${i + 1} of ${got.length}`);
            return;
        }
        if (!theirs.head && got[i].body !== theirs.body.toString('latin1')) {
            find('other_body', number, `request ${i + 1}`);
            return;
        }
    }
}

function judge(number, bytes, text) {
    const ref = reference(bytes);
    const all = answers(text, (i) => ref.requests[i]?.head);
    if (!all) { // behind an Upgrade llhttp reads no more, so it cannot say which answer is one to HEAD
        if (!ref.upgrade) find('broken', number, 'the answer cannot be read');
        return;
    }
    const bad = all.filter((a) => a.status >= 300);
    const good = all.filter((a) => a.status < 300);
    counts.answers += all.length;
    counts.accepted += good.length;
    counts.refused += bad.length;
    for (const a of all) counts.statuses[a.status] = (counts.statuses[a.status] || 0) + 1;
    for (const a of bad) if (!isProblem(a, bytes)) find('no_problem', number, `${a.status}`);
    judgeAccepted(number, good, ref);
    if (bad.length > 0) {
        counts.stricter += ref.refused ? 0 : 1;
    } else if (good.length < ref.requests.length && !(good.length > 0 && ref.requests[good.length - 1].last)) {
        find('other_count', number, `${good.length} answers, llhttp read ${ref.requests.length}`);
    } else if (!ref.refused) {
        counts.both_whole++;
    }
}

const end = Date.now() + seconds * 1000;
let next = 0, running = 0;

function one() {
    if (Date.now() >= end) return;
    const number = next++;
    const bytes = Buffer.from(mutant(seed, number, extra), 'latin1');
    const parts = [];
    running++;
    const socket = net.connect({ port, host: '127.0.0.1', localAddress: `127.0.${number >> 4 & 127}.${1 + (number & 15)}`, allowHalfOpen: true });
    socket.on('data', (part) => parts.push(part));
    socket.on('error', (e) => find('broken', number, e.code));
    socket.on('end', () => judge(number, bytes, Buffer.concat(parts).toString('latin1')));
    socket.on('close', () => {
        counts.sent++;
        running--;
        one();
        if (running === 0) finish();
    });
    socket.end(bytes);
}

function finish() {
    clearInterval(progress);
    process.stdout.write(JSON.stringify({ seed, node: process.version, llhttp: process.versions.llhttp, ...counts, shown }) + '\n');
}

const progress = setInterval(() => process.stderr.write(`  ${counts.sent} requests\n`), 10000);
for (let i = 0; i < CONNECTIONS; i++) one();
