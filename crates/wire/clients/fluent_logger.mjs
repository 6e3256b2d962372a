// Sends events with @fluent-org/logger from npm, waiting for acks, and looks for them: fluent_logger.mjs PORT HTTP_BASE
import assert from 'node:assert/strict';
import { EventTime, FluentClient } from '@fluent-org/logger';

const [port, base] = process.argv.slice(2);

async function search(query) {
  const answer = await fetch(`${base}/api/v1/search?${new URLSearchParams({ query })}`);
  return (await answer.text()).split('\n').filter(Boolean).map(line => JSON.parse(line));
}

for (const eventMode of ['Message', 'Forward', 'PackedForward', 'CompressedPackedForward']) {
  const client = new FluentClient('js', { eventMode, socket: { host: '127.0.0.1', port: Number(port) }, ack: { ackTimeout: 5000 } });
  const word = `from${eventMode}`;
  await client.emit('web', { text: word, n: 7 }, new EventTime(1700000000, 123456789));
  await client.disconnect();
  // The promise of emit is kept only after the ack, so the event is there at once.
  const found = await search(word);
  assert.equal(found.length, 1, `${eventMode}: ${JSON.stringify(found)}`);
  assert.equal(found[0]._tag, 'js.web');
  assert.equal(found[0]._time, '2023-11-14T22:13:20.123456789Z');
  assert.equal(found[0].n, 7);
}
