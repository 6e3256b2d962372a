// A real node for the scripts of clients, and checks that are told by one line each: `ok` or `FAIL`.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

// Longest that a condition is waited for; generous, since a test machine may have much else to do.
const PATIENCE = 90_000;

const [binary, folder] = process.argv.slice(2);
export const file = name => join(folder, name);
const running = [];
process.on('exit', () => running.forEach(child => child.kill('SIGKILL')));
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });

// A node with this configuration, and the addresses that its first line tells.
export async function start(name, config) {
  writeFileSync(file(`${name}.toml`), config);
  const child = spawn(binary, ['run', '-c', file(`${name}.toml`), '--http', '127.0.0.1:0', '--data', file(name)],
    { stdio: ['ignore', 'pipe', 'inherit'] });
  running.push(child);
  const line = await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', text => text.startsWith('sawlog ready') && resolve(text));
    child.once('exit', code => reject(new Error(`the node ${name} ended with ${code}`)));
  });
  const word = key => line.split(/\s+/).find(part => part.startsWith(key))?.slice(key.length);
  return { child, http: word('http='), port: Number(word('forward=')?.split(':').pop()) };
}

export async function until(condition, what) {
  for (const end = Date.now() + PATIENCE; !(await condition());) {
    assert.ok(Date.now() < end, `in vain: ${what}`);
    await new Promise(resolve => setTimeout(resolve, 100));
  }
}

export async function search(base, query) {
  const answer = await fetch(`${base}/api/v1/search?${new URLSearchParams({ query, limit: 100000 })}`);
  return (await answer.text()).split('\n').filter(Boolean).map(line => JSON.parse(line));
}

// What the query finds once it is so many rows, by the field `n`.
export async function found(base, query, count) {
  let rows;
  await until(async () => (rows = await search(base, query)).length >= count, `${count} of ${query}`);
  assert.equal(rows.length, count, query);
  return rows.sort((a, b) => a.n - b.n);
}

// The rows are these records, whole, in the order of `n`, under this tag; times in the form of the API, or none that is known.
export function same(rows, tag, records, times) {
  assert.deepEqual(rows.map(row => JSON.parse(row._line)), records);
  assert.ok(rows.every(row => row._tag === tag), JSON.stringify(rows.map(row => row._tag)));
  if (times) assert.deepEqual(rows.map(row => row._time), times);
}

export function certificate() {
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
    '-keyout', file('key.pem'), '-out', file('cert.pem'), '-days', '2', '-subj', '/CN=localhost',
    '-addext', 'subjectAltName=DNS:localhost', '-addext', 'basicConstraints=critical,CA:FALSE'], { stdio: 'ignore' });
}

let failed = false;

export async function check(name, action) {
  try {
    await action();
    console.log(`ok   ${name}`);
  } catch (error) {
    failed = true;
    console.error(error);
    console.log(`FAIL ${name}`);
  }
}

// Ends the program, whatever a client still waits for.
export function end() {
  process.exit(failed ? 1 : 0);
}
