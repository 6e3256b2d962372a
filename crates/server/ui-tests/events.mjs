// Events that the tests send, so that what is to be found is known: the same numbers on every run, of the last minutes.

/** A small generator of numbers from 0 up to 1, from one seed. */
function numbers(seed) {
  return () => {
    seed = (seed * 1664525 + 1013904223) % 4294967296;
    return seed / 4294967296;
  };
}

const SERVICES = ["api", "api", "api", "checkout", "checkout", "billing", "auth"];
const MESSAGES = {
  info: ["request done", "cache filled", "user signed in", "order placed"],
  debug: ["query plan chosen", "lock released"],
  warn: ["retry 2 of 3, upstream slow", "pool is 90 % busy"],
  error: ["upstream timeout after 30 s", "connection reset by peer", "payment declined: card expired"],
};

/** `many` events that end at `end` (ms), half a second apart, with a burst of errors at two thirds. */
export function events(many, end) {
  const next = numbers(17);
  const pick = (list) => list[Math.floor(next() * list.length)];
  return Array.from({ length: many }, (_, index) => {
    const burst = Math.abs(index / many - 0.66) < 0.02;
    const dice = next();
    const level = dice < (burst ? 0.6 : 0.04) ? "error" : dice < 0.14 ? "warn" : dice < 0.35 ? "debug" : "info";
    return {
      time: new Date(end - (many - index) * 500).toISOString(),
      level,
      service: pick(SERVICES),
      message: pick(MESSAGES[level]),
      status: level === "error" ? pick([500, 502, 503, 504]) : pick([200, 200, 200, 201, 304]),
      latency_ms: Math.round(next() * next() * 4000) / 10,
      path: pick(["/v2/pay", "/v2/cart", "/v1/users/17", "/search?q=boots"]),
      trace_id: Array.from({ length: 4 }, () => Math.floor(next() * 2 ** 32).toString(16).padStart(8, "0")).join(""),
    };
  });
}

/** Application events of one request that ended at `end` (ms), as the client libraries send them. */
export function request(end, id) {
  const start = end / 1000 - 0.32;
  const event = (type, span, parent, after, seconds, body) => ({
    type, id, span, ...(parent && { parent }), host: "web-1", pid: 4711, start: start + after, end: start + after + seconds, body,
  });
  return [
    event("request.auth", "b1", "a1", 0.004, 0.021, { user: "ann", cached: false }),
    event("request.load.sql", "c1", "c0", 0.04, 0.062, { query: "SELECT * FROM orders WHERE user = 7 AND state <> 'done'", rows: 12 }),
    event("request.load.sql", "c2", "c0", 0.104, 0.048, { query: "SELECT * FROM items WHERE order_id IN (1, 2, 3)", rows: 97 }),
    event("request.load", "c0", "a1", 0.03, 0.13, {}),
    event("request.pay.http", "d1", "d0", 0.17, 0.1, { url: "https://bank.example/charge", status: 503 }),
    event("request.log", "e1", "d0", 0.271, 0, { name: "pay", level: "ERROR", msg: "the bank answers 503, tried again" }),
    event("request.pay.http", "d2", "d0", 0.275, 0.022, { url: "https://bank.example/charge", status: 200 }),
    event("request.pay", "d0", "a1", 0.165, 0.135, { amount: 42.5 }),
    event("request.render", "f1", "a1", 0.301, 0.0004, { template: "done.html" }),
    event("request", "a1", null, 0, 0.32, { method: "POST", path: "/v2/pay", status: 200, user: 7 }),
  ];
}

/** Lines that a careless page would stumble over. */
export const NASTY = [
  "nasty <img src=x onerror=\"document.title='taken'\"> <script>document.title='taken'</script>",
  "\u001b[1;31mERROR\u001b[0m nasty \u001b[32mgreen\u001b[0m \u0007bell \u202eturned",
  "nasty " + "long ".repeat(400) + "needle-at-the-end",
];

/** Sends a body to the node and gives its answer. */
export async function send(base, body, tag, type = "application/x-ndjson", host = "web-1") {
  const response = await fetch(`${base}/api/v1/ingest?tag=${tag}&host=${host}`, { method: "POST", headers: { "content-type": type }, body });
  if (!response.ok) throw new Error(`ingest answered ${response.status}: ${await response.text()}`);
  return response.json();
}

export const lines = (list) => list.map((one) => JSON.stringify(one)).join("\n") + "\n";
