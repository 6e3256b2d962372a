// Key, users and TLS, with npm's clients as senders and @fluent-org/logger's server as receiver:
// forward_secured.mjs BINARY FOLDER
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { EventTime, FluentClient, FluentServer } from '@fluent-org/logger';
import { certificate, check, end, file, found, same, search, start, until } from './node.mjs';

const fluentLogger = createRequire(import.meta.url)('fluent-logger');
const QUIET = { info() {}, error() {} };
const SECURITY = { clientHostname: 'client', sharedKey: 'secret', username: 'u', password: 'p' };

certificate();
const node = await start('secured', `
[[input]]
type = "forward"
listen = "127.0.0.1:0"
shared_key = "secret"
self_hostname = "server"
users = ["u:p"]
tls_cert = "${file('cert.pem')}"
tls_key = "${file('key.pem')}"
`);
const tls = { ca: readFileSync(file('cert.pem')), servername: 'localhost' };

function npmSender(eventMode, security, ackResponseTimeout) {
  return fluentLogger.createFluentSender('npm', {
    host: 'localhost', port: node.port, timeout: 60, eventMode, internalLogger: QUIET, requireAckResponse: true,
    ackResponseTimeout, security, tls: true, tlsOptions: tls,
  });
}

// One event whose callback is called after the ack; an error, or nothing.
function emitted(eventMode, tag) {
  const sender = npmSender(eventMode, SECURITY, 10_000);
  return new Promise(resolve => {
    sender.on('error', resolve);
    sender.emit(tag, { text: 'é', n: 3 }, resolve);
  }).finally(() => sender.end());
}

for (const eventMode of ['Message', 'PackedForward', 'CompressedPackedForward']) {
  await check(`fluent-logger (npm): ${eventMode} with key, user, TLS and ack`, async () => {
    // This client begins to listen for an ack only when it hears that its bytes were written, which over TLS may be after the
    // ack has come and gone. It gives up then, and an application would send again.
    let tag, error, attempt = 0;
    do {
      tag = `${eventMode}${attempt}`;
      error = await emitted(eventMode, tag);
    } while (/ack response timeout/.test(error?.message) && ++attempt < 5);
    assert.equal(error ?? null, null);
    same(await found(node.http, `_tag:=npm.${tag}`, 1), `npm.${tag}`, [{ text: 'é', n: 3 }]);
  });
}

for (const eventMode of ['Message', 'Forward', 'PackedForward', 'CompressedPackedForward']) {
  await check(`@fluent-org/logger (npm): ${eventMode} with key, user, TLS and ack`, async () => {
    const client = new FluentClient('js', {
      eventMode, socket: { host: 'localhost', port: node.port, tls }, ack: { ackTimeout: 60_000 }, security: SECURITY,
    });
    await client.emit(eventMode, { text: 'é', n: 1 }, new EventTime(1700000000, 5));
    await client.disconnect();
    // The promise of emit is kept only after the ack, so the event is there at once.
    const rows = await search(node.http, `_tag:=js.${eventMode}`);
    same(rows, `js.${eventMode}`, [{ text: 'é', n: 1 }], ['2023-11-14T22:13:20.000000005Z']);
  });
}

for (const [what, wrong] of [['password', { password: 'wrong' }], ['user', { username: 'other' }], ['key', { sharedKey: 'wrong' }]]) {
  await check(`fluent-logger (npm): a wrong ${what} is refused`, async () => {
    const stranger = npmSender('Message', { ...SECURITY, ...wrong }, 2000);
    const refused = await new Promise(resolve => {
      stranger.on('error', resolve);
      stranger.emit('stranger', { n: 1 }, error => error && resolve(error));
    });
    assert.match(String(refused.message ?? refused), /password|shared|closed|auth/i);
    stranger.end();
    assert.equal((await search(node.http, '_tag:=npm.stranger')).length, 0);
  });
}

class Receiver extends FluentServer {
  entries = [];

  onEntry(tag, time, record) {
    this.entries.push({ tag, time, record });
    super.onEntry(tag, time, record);
  }
}

for (const compress of ['text', 'gzip']) {
  await check(`FluentServer of @fluent-org/logger (npm) gets what is followed: ${compress}, key, user, TLS`, async () => {
    const server = new Receiver({
      security: { serverHostname: 'receiver', sharedKey: 'secret', authorize: true, userDict: { u: 'p' } },
      tlsOptions: { cert: readFileSync(file('cert.pem')), key: readFileSync(file('key.pem')) },
      listenOptions: { host: '127.0.0.1', port: 0 },
    });
    await server.listen();
    const records = Array.from({ length: 1000 }, (_, n) => ({ n, text: `é ${compress}` }));
    writeFileSync(file(`${compress}.log`), records.map(one => `${JSON.stringify(one)}\n`).join(''));
    const sender = await start(`to-${compress}`, `
[[input]]
type = "tail"
paths = "${file(`${compress}.log`)}"
tag = "followed"

[[output]]
type = "forward"
to = "localhost:${server.port}"
lane = false
compress = "${compress}"
shared_key = "secret"
username = "u"
password = "p"
tls = true
tls_ca = ["${file('cert.pem')}"]
`);
    await until(() => server.entries.length >= records.length, 'all entries');
    assert.deepEqual(server.entries.map(entry => entry.record), records);
    assert.ok(server.entries.every(entry => entry.tag === 'followed'));
    sender.child.kill('SIGKILL');
    await server.close();
  });
}
end();
