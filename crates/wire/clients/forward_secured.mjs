// Key, users and TLS, with npm's clients as senders and @fluent-org/logger's server as receiver:
// forward_secured.mjs BINARY FOLDER
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { EventTime, FluentClient, FluentServer } from '@fluent-org/logger';

const fluentLogger = createRequire(import.meta.url)('fluent-logger');
const [binary, folder] = process.argv.slice(2);
const file = name => join(folder, name);
const running = [];
process.on('exit', () => running.forEach(child => child.kill('SIGKILL')));

// A node with this configuration, and the addresses that its first line tells.
async function start(name, config) {
  writeFileSync(file(`${name}.toml`), config);
  const child = spawn(binary, ['run', '-c', file(`${name}.toml`), '--http', '127.0.0.1:0', '--data', file(name)],
    { stdio: ['ignore', 'pipe', 'inherit'] });
  running.push(child);
  const line = await new Promise(resolve => child.stdout.once('data', data => resolve(String(data))));
  const word = key => line.split(/\s+/).find(part => part.startsWith(key))?.slice(key.length);
  return { child, http: word('http='), port: Number(word('forward=')?.split(':').pop()) };
}

async function search(base, query) {
  const answer = await fetch(`${base}/api/v1/search?${new URLSearchParams({ query })}`);
  return (await answer.text()).split('\n').filter(Boolean).map(line => JSON.parse(line));
}

// What the query finds once it is something, within ten seconds.
async function found(base, query) {
  for (let tries = 0; tries < 100; tries++) {
    const records = await search(base, query);
    if (records.length > 0) return records;
    await new Promise(resolve => setTimeout(resolve, 100));
  }
  return [];
}

function certificate() {
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
    '-keyout', file('key.pem'), '-out', file('cert.pem'), '-days', '2', '-subj', '/CN=localhost',
    '-addext', 'subjectAltName=DNS:localhost', '-addext', 'basicConstraints=critical,CA:FALSE'], { stdio: 'ignore' });
}

const QUIET = { info() {}, error() {} };
const SECURITY = { clientHostname: 'client', sharedKey: 'secret', username: 'u', password: 'p' };

async function sendersAreAdmitted() {
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
  for (const eventMode of ['Message', 'PackedForward', 'CompressedPackedForward']) {
    const sender = fluentLogger.createFluentSender('npm', {
      host: 'localhost', port: node.port, timeout: 5, eventMode, internalLogger: QUIET, requireAckResponse: true, ackResponseTimeout: 5000,
      security: SECURITY, tls: true, tlsOptions: tls,
    });
    sender.on('error', error => { throw error; });
    const word = `npm${eventMode}`;
    // The callback is called after the ack.
    await new Promise((resolve, reject) =>
      sender.emit('web', { text: word, n: 3 }, error => (error ? reject(error) : resolve())));
    sender.end();
    const records = await found(node.http, word);
    assert.equal(records.length, 1, `${word}: ${JSON.stringify(records)}`);
    assert.equal(records[0]._tag, 'npm.web');
    assert.equal(records[0].n, 3);
  }
  for (const eventMode of ['Message', 'Forward', 'PackedForward', 'CompressedPackedForward']) {
    const client = new FluentClient('js', {
      eventMode, socket: { host: 'localhost', port: node.port, tls }, ack: { ackTimeout: 5000 }, security: SECURITY,
    });
    const word = `secured${eventMode}`;
    await client.emit('web', { text: word }, new EventTime(1700000000, 5));
    await client.disconnect();
    assert.equal((await search(node.http, word)).length, 1, word);
  }
  const stranger = fluentLogger.createFluentSender('npm', {
    host: 'localhost', port: node.port, timeout: 5, internalLogger: QUIET, requireAckResponse: true, ackResponseTimeout: 2000,
    security: { ...SECURITY, password: 'wrong' }, tls: true, tlsOptions: tls,
  });
  const refused = await new Promise(resolve => {
    stranger.on('error', resolve);
    stranger.emit('web', { text: 'stranger' }, error => error && resolve(error));
  });
  assert.match(String(refused.message ?? refused), /password|closed|Authentication|auth/i);
  stranger.end();
  assert.equal((await search(node.http, 'stranger')).length, 0);
}

class Receiver extends FluentServer {
  entries = [];

  onEntry(tag, time, record) {
    this.entries.push({ tag, time, record });
    super.onEntry(tag, time, record);
  }
}

async function aServerGetsWhatIsFollowed() {
  const options = {
    security: { serverHostname: 'receiver', sharedKey: 'secret', authorize: true, userDict: { u: 'p' } },
    tlsOptions: { cert: readFileSync(file('cert.pem')), key: readFileSync(file('key.pem')) },
    listenOptions: { host: '127.0.0.1', port: 0 },
  };
  for (const compress of ['text', 'gzip']) {
    const server = new Receiver(options);
    await server.listen();
    const lines = Array.from({ length: 1000 }, (_, number) => `{"n":${number},"text":"é ${compress}"}`);
    writeFileSync(file(`${compress}.log`), lines.join('\n') + '\n');
    const node = await start(`to-${compress}`, `
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
    for (let tries = 0; tries < 100 && server.entries.length < 1000; tries++) {
      await new Promise(resolve => setTimeout(resolve, 100));
    }
    const numbers = server.entries.map(entry => entry.record.n);
    assert.deepEqual(numbers, Array.from({ length: 1000 }, (_, number) => number), compress);
    assert.ok(server.entries.every(entry => entry.tag === 'followed' && entry.record.text === `é ${compress}`));
    node.child.kill('SIGKILL');
    await server.close();
  }
}

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
certificate();
await sendersAreAdmitted();
await aServerGetsWhatIsFollowed();
process.exit(0);
