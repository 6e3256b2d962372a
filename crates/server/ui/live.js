// @ts-check
/**
 * New lines as they come. A connection that ends is made again; what came meanwhile is asked for by whoever listens.
 */
import { Lost, tail } from "./api.js";

export class Live {
  /**
   * @param {object} how
   * @param {(jsons: string[]) => void} how.take New records, a few times a second.
   * @param {(words: string) => void} how.left What was left out, in words.
   * @param {(again: boolean) => void} how.open The connection stands; `again` where rows may have been missed.
   * @param {(error: any) => void} how.failed It cannot be.
   */
  constructor(how) {
    this.how = how;
    this.abort = new AbortController();
    /** @type {string[]} */
    this.waiting = [];
    this.timer = 0;
  }

  /** @param {string} query */
  async start(query) {
    this.stop();
    const abort = new AbortController();
    this.abort = abort;
    let wait = 500;
    for (let again = false; !abort.signal.aborted; again = true) {
      try {
        await tail(query, (event, data) => {
          wait = 500;
          if (event === "open") this.how.open(again);
          else if (event === "lag") this.lag(JSON.parse(data));
          else this.push(data);
        }, abort.signal);
      } catch (error) {
        if (abort.signal.aborted) return;
        if (!(error instanceof Lost)) return this.how.failed(error);
      }
      await new Promise((resolve) => setTimeout(resolve, wait));
      wait = Math.min(wait * 2, 8000);
    }
  }

  stop() {
    this.abort.abort();
    this.waiting = [];
    clearTimeout(this.timer);
    this.timer = 0;
  }

  /** @param {string} json */
  push(json) {
    this.waiting.push(json);
    // Gathered, so that a burst is one change of the page and not a thousand.
    this.timer ||= setTimeout(() => {
      this.timer = 0;
      const jsons = this.waiting;
      this.waiting = [];
      this.how.take(jsons);
    }, 120);
  }

  /** @param {{records?: number, batches?: number}} lag */
  lag(lag) {
    this.how.left(lag.records ? `${lag.records} lines came too fast to be shown; search to see them` : "some lines came too fast to be shown; search to see them");
  }
}
