// SPDX-License-Identifier: LicenseRef-Gremio
// Makes requests nobody would send: one to six mutations of valid and borderline ones, repeatable by their number.
'use strict';

const GET = 'GET /a/b?c=d HTTP/1.1\r\nHost: localhost\r\n';
const POST = 'POST /p HTTP/1.1\r\nHost: localhost\r\n';
const CHUNKED = POST + 'Transfer-Encoding: chunked\r\n\r\n';
const NEXT = 'GET /next HTTP/1.1\r\nHost: localhost\r\n\r\n';

const seeds = [
    GET + '\r\n',
    GET + '\r\n' + NEXT,
    NEXT + NEXT + NEXT,
    GET + 'Accept: */*\r\nX-Empty:\r\nX-Blank: \t \r\nUser-Agent: a (b; c) d/1\r\n\r\n' + NEXT,
    POST + 'Content-Length: 5\r\n\r\nhello',
    POST + 'Content-Length: 5\r\n\r\nhello' + NEXT,
    POST + 'Content-Length: 0\r\n\r\n' + NEXT,
    POST + 'Content-Length: 38\r\n\r\n' + NEXT + NEXT,
    CHUNKED + '5\r\nhello\r\n0\r\n\r\n',
    CHUNKED + '5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n' + NEXT,
    CHUNKED + '0\r\n\r\n' + NEXT,
    CHUNKED + '0A\r\n0123456789\r\n000\r\n\r\n' + NEXT,
    CHUNKED + '5;a=b;c="d e"\r\nhello\r\n0;x\r\n\r\n' + NEXT,
    CHUNKED + '5\r\nhello\r\n0\r\nX-Trailer: value\r\nDigest: x\r\n\r\n' + NEXT,
    CHUNKED + '5\r\nhello\r\n0\r\nContent-Length: 3\r\n\r\n' + NEXT,
    CHUNKED + '23\r\n' + NEXT.slice(0, 35) + '\r\n0\r\n\r\n' + NEXT,
    POST + 'Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}',
    POST + 'Content-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}',
    GET + 'Connection: keep-alive, x\r\n\r\n' + NEXT,
    'HEAD / HTTP/1.1\r\nHost: localhost:80\r\n\r\n' + NEXT,
    'OPTIONS * HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n' + NEXT,
    'PUT http://localhost/x?y HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nz',
    'DELETE /x HTTP/1.1\r\nHost: localhost\r\n\r\n' + NEXT,
    'PATCH /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc' + NEXT,
    'GET / HTTP/1.0\r\n\r\n',
    'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n' + NEXT,
];

const words = [
    '\r\n', '\n', '\r', '\0', ' ', '\t', ':', ';', ',', '"', '\\', '\x0b', '\x7f', '\x80', '\xff', '\r\n\r\n', '\r\n ', '\n\n',
    'Content-Length: 5\r\n', 'Content-Length: 0\r\n', 'Content-Length: +5\r\n', 'content-length:5\r\n', 'Content-Length : 5\r\n',
    'Content-Length: 5, 5\r\n', 'Content-Length: 0x5\r\n', 'Content-Length: 18446744073709551617\r\n',
    'Transfer-Encoding: chunked\r\n', 'Transfer-Encoding: gzip, chunked\r\n', 'Transfer-Encoding: xchunked\r\n',
    'Transfer-Encoding: chunked, identity\r\n', 'Transfer-Encoding:\tchunked\r\n', 'transfer-encoding: CHUNKED\r\n',
    'Transfer-Encoding: identity\r\n', 'Transfer-Encoding: \r\n', 'Transfer-Encoding\r\n : chunked\r\n', 'chunked', ', chunked',
    'Host: localhost\r\n', 'Host: other\r\n', 'Connection: close\r\n', 'Connection: keep-alive\r\n', 'Trailer: x\r\n',
    'Expect: 100-continue\r\n', 'X: y\r\n', 'X : y\r\n', ': y\r\n', ' X: y\r\n', 'X\r\n', 'X: \x01\r\n', 'X: a\r\n b\r\n',
    '0\r\n\r\n', '5\r\nhello\r\n', '0x5\r\nhello\r\n', '5 \r\nhello\r\n', '-1\r\n', '+5\r\n', '5;\r\n', '5;a\nb\r\n', 'ffffffffffffffff\r\n',
    '00000000000000005\r\n', '5\r\n', '0\r\n', '0\r\nX: y\r\n\r\n', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'HTTP/0.9', 'http/1.1',
    'HTTP/1.1\r\n', ' HTTP/1.1', 'GET ', 'get ', 'POST ', 'BREW ', 'CONNECT ', 'PRI ', 'TRACE ', 'SOURCE ', '/', '//', '?', '#', '%00',
    '*', 'http://', 'Transfer-Encoding: chunked\t\r\n', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc',
];

// xorshift32: a request is named by its number and the run's seed alone.
function random(seed) {
    let x = (seed ^ 0x9e3779b9) | 0 || 1;
    return (n) => {
        x ^= x << 13;
        x ^= x >>> 17;
        x ^= x << 5;
        return (x >>> 0) % n;
    };
}

const cut = (s, at, n, put) => s.slice(0, at) + put + s.slice(at + n);

const mutations = [
    (s, r) => cut(s, r(s.length + 1), 0, words[r(words.length)]),
    (s, r) => cut(s, r(s.length + 1), 0, words[r(words.length)]),
    (s, r) => cut(s, r(s.length + 1), r(6), words[r(words.length)]),
    (s, r) => cut(s, r(s.length), 1, String.fromCharCode(r(256))),
    (s, r) => cut(s, r(s.length), 1, ''),
    (s, r) => cut(s, r(s.length), r(12), ''),
    (s, r) => { const at = r(s.length); return cut(s, at, 0, s.slice(at, at + 1 + r(20))); },
    (s, r) => onLine(s, r, () => ''),
    (s, r) => onLine(s, r, (line) => line + line),
    (s, r) => onLine(s, r, () => words[18 + r(40)]),
    (s, r) => onLine(s, r, (line) => line.replace(/\r\n$/, ['\n', '\r', '', '\r\r\n', ' \r\n'][r(5)])),
    (s, r) => onLine(s, r, (line) => (r(2) ? line.toUpperCase() : line.toLowerCase())),
    (s, r) => onLine(s, r, (line) => line.replace(/[ :]/, (c) => ['', c + c, '\t', c + ' ', ' ' + c][r(5)])),
    (s, r) => s.slice(0, r(s.length + 1)),
    (s, r, all) => s + all[r(all.length)],
];

function onLine(s, r, change) {
    const lines = s.split(/(?<=\n)/);
    const i = r(lines.length);
    lines[i] = change(lines[i]);
    return lines.join('');
}

// The request of that number as a latin-1 text. more: further seeds.
exports.mutant = (seed, number, more) => {
    const r = random(Math.imul(seed, 0x85ebca6b) ^ Math.imul(number + 1, 0xc2b2ae35));
    for (let i = 0; i < 4; i++) r(2);
    const all = more.length ? seeds.concat(more) : seeds;
    let s = more.length && r(3) === 0 ? more[r(more.length)] : seeds[r(seeds.length)];
    for (let n = 1 + r(3) + (r(4) ? 0 : r(4)); n > 0 && s.length > 0; n--) s = mutations[r(mutations.length)](s, r, all);
    return s.slice(0, 32768);
};
