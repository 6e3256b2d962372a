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

/** Lines that a careless page would stumble over. */
export const NASTY = [
  "nasty <img src=x onerror=\"document.title='taken'\"> <script>document.title='taken'</script>",
  "\u001b[1;31mERROR\u001b[0m nasty \u001b[32mgreen\u001b[0m \u0007bell \u202eturned",
  "nasty " + "long ".repeat(400) + "needle-at-the-end",
];

/** Sends a body to the node and gives its answer. */
export async function send(base, body, tag, type = "application/x-ndjson") {
  const response = await fetch(`${base}/api/v1/ingest?tag=${tag}&host=web-1`, { method: "POST", headers: { "content-type": type }, body });
  if (!response.ok) throw new Error(`ingest answered ${response.status}: ${await response.text()}`);
  return response.json();
}

export const lines = (list) => list.map((one) => JSON.stringify(one)).join("\n") + "\n";
