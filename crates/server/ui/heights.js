// @ts-check
/**
 * Heights of rows, nearly all of which are the same: where a row stands, and which row stands at a place, in the
 * logarithm of their number. (A Fenwick tree of what a row is higher than the rest.)
 */
export class Heights {
  /** @param {number} base Height of most rows. */
  constructor(base) {
    this.base = base;
    this.length = 0;
    /** By row. @type {Map<number, number>} */
    this.more = new Map();
    /** @type {Float64Array} */
    this.tree = new Float64Array(1024);
  }

  /** All rows are of the base height again. */
  clear() {
    this.more = new Map();
    this.tree = new Float64Array(this.tree.length);
  }

  /** @param {number} length */
  resize(length) {
    this.length = length;
    if (length < this.tree.length) return;
    let size = this.tree.length;
    while (size <= length) size *= 2;
    const more = this.more;
    this.clear();
    this.tree = new Float64Array(size);
    for (const [index, extra] of more) this.set(index, this.base + extra);
  }

  /** @param {number} index @param {number} height @returns {boolean} Whether it changed. */
  set(index, height) {
    const extra = height - this.base;
    const change = extra - (this.more.get(index) ?? 0);
    if (Math.abs(change) < 0.5) return false;
    if (extra) this.more.set(index, extra);
    else this.more.delete(index);
    for (let at = index + 1; at < this.tree.length; at += at & -at) this.tree[at] += change;
    return true;
  }

  /** Moves what is known of rows, for rows that come before them. @param {number} by */
  shift(by) {
    const more = [...this.more];
    this.clear();
    this.resize(this.length + by);
    for (const [index, extra] of more) this.set(index + by, this.base + extra);
  }

  /** Where a row begins. @param {number} index */
  top(index) {
    let sum = index * this.base;
    for (let at = index; at > 0; at -= at & -at) sum += this.tree[at];
    return sum;
  }

  /** The row at a place. @param {number} y */
  find(y) {
    let index = 0;
    let left = y;
    for (let step = this.tree.length >> 1; step > 0; step >>= 1) {
      const height = step * this.base + this.tree[index + step];
      if (index + step < this.tree.length && height <= left) {
        index += step;
        left -= height;
      }
    }
    return Math.min(index, Math.max(0, this.length - 1));
  }
}
