// Clients from npm send in every mode, with and without ack: fluent_logger.mjs BINARY FOLDER
import { createRequire } from 'node:module';
import { EventTime, FluentClient } from '@fluent-org/logger';
import { check, end, found, same, start } from './node.mjs';

const fluentLogger = createRequire(import.meta.url)('fluent-logger');
const QUIET = { info() {}, error() {} };
const COUNT = 50;
const record = n => ({ n, text: `größe "${n}"`, half: n + 0.5, big: 2 ** 40, yes: true, none: null, list: [1, 'a', { b: [] }], map: { k: 'v' } });
const RECORDS = Array.from({ length: COUNT }, (_, n) => record(n));
// 2023-11-14T22:13:20.123456789Z and on, in nanoseconds or in whole seconds.
const NANOS = RECORDS.map(({ n }) => `2023-11-14T22:13:20.${String(123456789 + n)}Z`);
const SECONDS = RECORDS.map(({ n }) => new Date((1700000000 + n) * 1000).toISOString().replace('.000', ''));

const node = await start('node', '[[input]]\ntype = "forward"\nlisten = "127.0.0.1:0"\n');

for (const ack of [false, true]) {
  for (const eventMode of ['Message', 'Forward', 'PackedForward', 'CompressedPackedForward']) {
    const name = `@fluent-org/logger (npm): ${eventMode}${ack ? ', ack' : ''}`;
    await check(name, async () => {
      const options = { eventMode, socket: { host: '127.0.0.1', port: node.port }, ...(ack && { ack: { ackTimeout: 60_000 } }) };
      const client = new FluentClient(`js${ack}${eventMode}`, options);
      const nanos = RECORDS.map(one => client.emit('nanos', one, new EventTime(1700000000, 123456789 + one.n)));
      const seconds = RECORDS.map(one => client.emit('seconds', one, new Date((1700000000 + one.n) * 1000)));
      await Promise.all([...nanos, ...seconds]);
      await client.disconnect();
      for (const [label, times] of [['nanos', NANOS], ['seconds', SECONDS]]) {
        const tag = `js${ack}${eventMode}.${label}`;
        same(await found(node.http, `_tag:=${tag}`, COUNT), tag, RECORDS, times);
      }
    });
  }
  for (const eventMode of ['Message', 'PackedForward', 'CompressedPackedForward']) {
    await check(`fluent-logger (npm): ${eventMode}${ack ? ', ack' : ''}`, async () => {
      const prefix = `npm${ack}${eventMode}`;
      const sender = fluentLogger.createFluentSender(prefix, {
        host: '127.0.0.1', port: node.port, timeout: 60, eventMode, internalLogger: QUIET, flushInterval: 20,
        requireAckResponse: ack, ackResponseTimeout: 60_000,
      });
      const failure = new Promise((_, reject) => sender.on('error', reject));
      const emit = (label, one, time) => new Promise((resolve, reject) =>
        sender.emit(label, one, time, error => (error ? reject(error) : resolve())));
      const own = fluentLogger.EventTime;
      const nanos = RECORDS.map(one => emit('nanos', one, new own(1700000000, 123456789 + one.n)));
      const seconds = RECORDS.map(one => emit('seconds', one, 1700000000 + one.n));
      await Promise.race([Promise.all([...nanos, ...seconds]), failure]);
      for (const [label, times] of [['nanos', NANOS], ['seconds', SECONDS]]) {
        same(await found(node.http, `_tag:=${prefix}.${label}`, COUNT), `${prefix}.${label}`, RECORDS, times);
      }
      sender.end();
    });
  }
}
end();
