// @ts-check
/**
 * A search and what it has found so far, newest first: streams the first page, then more as one asks. Knows nothing of
 * how rows are shown.
 */
import { search } from "./api.js";
import { searchEnd } from "./lang.js";
import { address, rec, time } from "./rows.js";
import { SECOND, bounds, isOpen, now } from "./time.js";

/** @typedef {import("./rows.js").Item} Item */

const FIRST = 300;
/** Rows of a query with pipes, whose order may be another, so that there is no next page. */
const PIPED = 2000;
const PAGE = 2000;
/** What the clock of a sender may be ahead. */
const SKEW = 10n * SECOND;
/** More rows than anybody scrolls through; a browser can also not show a list of any height. */
export const MOST = 1_000_000;

export class Finder {
  /** @param {{grown: () => void, done: () => void, failed: (error: any) => void}} how */
  constructor(how) {
    this.how = how;
    /** @type {Item[]} */
    this.items = [];
    this.records = true;
    this.running = false;
    this.ended = false;
    this.seconds = 0;
    this.abort = new AbortController();
    this.query = "";
    this.start = "";
    this.end = "";
    this.piped = false;
  }

  /** Begins anew. @param {import("./state.js").State} state */
  find(state) {
    this.abort.abort();
    this.abort = new AbortController();
    this.query = state.q;
    this.range(state);
    this.items = [];
    this.ended = false;
    this.records = true;
    this.piped = searchEnd(state.q) < state.q.length;
    return this.page(this.piped ? PIPED : FIRST, this.end, new Set());
  }

  /** Reads the range, of which now is a part. @param {import("./state.js").State} state */
  range(state) {
    const { start, end } = bounds(state);
    this.start = start === null ? "" : String(start);
    // "The last hour" ends now, give or take what clocks differ; lines of tomorrow are found in all time.
    this.end = isOpen(state) && start !== null ? String(now() + SKEW) : end === null ? "" : String(end);
  }

  /** The parameters that say which rows, for others that ask about them. */
  get params() {
    return { query: this.query, start: this.start, end: this.end };
  }

  /** Fetches the rows after the last one, unless that is under way or there are none. */
  more() {
    if (this.running || this.ended || !this.records || !this.items.length || this.items.length >= MOST) return;
    const last = time(rec(this.items[this.items.length - 1]));
    // Rows of the same nanosecond are asked for again, as they may stand on both sides of the cut.
    const known = new Set();
    for (let at = this.items.length - 1; at >= 0 && time(rec(this.items[at])) === last; at--) known.add(address(rec(this.items[at])));
    this.page(PAGE, String(last + 1n), known);
  }

  /** @param {number} limit @param {string} end @param {Set<string>} known */
  async page(limit, end, known) {
    const { signal } = this.abort;
    this.running = true;
    let came = 0;
    try {
      const answer = await search({ query: this.query, start: this.start, end, limit: limit + known.size }, (lines, records) => {
        this.records = records;
        for (const json of lines) {
          if (!json) continue;
          came++;
          const item = { json, rec: null };
          if (known.size && came <= known.size && known.has(address(rec(item)))) continue;
          this.items.push(item);
        }
        this.how.grown();
      }, signal);
      this.records = answer.records;
      this.seconds = answer.report.seconds;
      this.ended = this.piped || came < limit + known.size;
      this.running = false;
      this.how.done();
    } catch (error) {
      if (signal.aborted) return;
      this.running = false;
      this.ended = true;
      this.how.failed(error);
    }
  }

  stop() {
    this.abort.abort();
    this.running = false;
  }
}
