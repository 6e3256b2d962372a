// @ts-check
/**
 * A list of any length of which only what is in sight has elements. Rows may be of different height once they were
 * seen; what is in sight then stays where it is.
 */
import { el } from "./dom.js";
import { Heights } from "./heights.js";

/** Rows kept ready above and below what is in sight. */
const SPARE = 12;

export class List {
  /**
   * @param {HTMLElement} view The scrolling element.
   * @param {object} how
   * @param {(index: number, row: HTMLLIElement) => void} how.draw Fills a row.
   * @param {() => void} how.near Called when the end comes near.
   * @param {(top: number) => void} how.scrolled
   */
  constructor(view, how) {
    this.view = view;
    this.how = how;
    this.heights = new Heights(20);
    this.uneven = false;
    this.selected = -1;
    /** @type {Map<number, HTMLLIElement>} */
    this.rows = new Map();
    this.inner = el("ol", { role: "list" });
    view.append(this.inner);
    this.asked = false;
    view.addEventListener("scroll", () => this.later(), { passive: true });
    /** Of the view; asked for once, as asking makes the browser lay out the page. */
    this.height = view.clientHeight;
    new ResizeObserver(() => {
      this.height = view.clientHeight;
      this.redraw();
    }).observe(view);
  }

  get length() {
    return this.heights.length;
  }

  later() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      const top = this.view.scrollTop;
      this.show();
      this.how.scrolled(top);
    });
  }

  /** There are other rows now. @param {number} length */
  reset(length) {
    this.selected = -1;
    this.heights.clear();
    this.heights.resize(length);
    this.view.scrollTop = 0;
    this.redraw();
  }

  /** There are more rows at the end. @param {number} length */
  grow(length) {
    const before = this.length;
    this.heights.resize(length);
    for (const [index, row] of this.rows) if (index >= length) this.drop(index, row);
    if (length !== before) this.show();
  }

  /** So many rows came before the first. @param {number} by @param {boolean} stay Whether what is in sight stays there. */
  unshift(by, stay) {
    this.heights.shift(by);
    if (this.selected >= 0) this.selected += by;
    if (stay) this.view.scrollTop += this.heights.top(by);
    this.redraw();
  }

  /** Makes every row anew, as after a change of look. */
  redraw() {
    for (const [index, row] of this.rows) this.drop(index, row);
    this.show();
  }

  /** Makes one row anew. @param {number} index */
  refresh(index) {
    const row = this.rows.get(index);
    const focused = row !== undefined && row.contains(document.activeElement);
    if (row) this.drop(index, row);
    this.show();
    if (focused) this.rows.get(index)?.focus({ preventScroll: true });
  }

  /** @param {number} base @param {boolean} uneven Whether rows differ in height even if they are not open. */
  look(base, uneven) {
    const top = this.heights.find(this.view.scrollTop);
    this.heights.base = base;
    this.uneven = uneven;
    const length = this.length;
    this.heights.clear();
    this.heights.resize(length);
    this.redraw();
    this.view.scrollTop = this.heights.top(top);
  }

  /** @param {number} index @param {HTMLLIElement} row */
  drop(index, row) {
    row.remove();
    this.rows.delete(index);
  }

  show() {
    // Heights that are seen for the first time move what follows, so a second look may be needed, hardly ever a third.
    let top = this.view.scrollTop;
    for (let round = 0; round < 4 && this.place(top); round++) top = this.view.scrollTop;
    if (this.length && top + 3 * this.height > this.heights.top(this.length)) this.how.near();
  }

  /** @param {number} scrolled @returns {boolean} Whether heights turned out to be others than thought. */
  place(scrolled) {
    const { view, heights, rows } = this;
    const first = heights.find(scrolled);
    const from = Math.max(0, first - SPARE);
    const to = Math.min(this.length, heights.find(scrolled + this.height) + SPARE + 1);
    for (const [index, row] of rows) if (index < from || index >= to) this.drop(index, row);
    for (let index = from; index < to; index++) {
      if (rows.has(index)) continue;
      const row = el("li", { class: "row", role: "listitem", "data-index": index, "aria-posinset": index + 1 });
      this.how.draw(index, row);
      rows.set(index, row);
    }
    this.insert(from, to);
    this.inner.style.height = `${heights.top(this.length)}px`;
    let changed = false;
    const into = scrolled - heights.top(first);
    const size = String(this.length);
    for (const [index, row] of rows) {
      if (row.ariaSetSize !== size) row.ariaSetSize = size;
      row.classList.toggle("selected", index === this.selected);
      row.tabIndex = index === (this.selected < 0 ? first : this.selected) ? 0 : -1;
      if (this.uneven || row.classList.contains("open") || heights.more.has(index)) changed = heights.set(index, row.offsetHeight) || changed;
    }
    for (const [index, row] of rows) row.style.transform = `translateY(${heights.top(index)}px)`;
    if (changed) {
      this.inner.style.height = `${heights.top(this.length)}px`;
      const top = heights.top(first) + into;
      if (Math.abs(top - scrolled) > 1) view.scrollTop = top;
    }
    return changed;
  }

  /** Puts new rows among the others in their order, which is also the order of Tab and of reading. @param {number} from @param {number} to */
  insert(from, to) {
    let at = this.inner.firstElementChild;
    for (let index = from; index < to; index++) {
      const row = /** @type {HTMLLIElement} */ (this.rows.get(index));
      if (row === at) at = at.nextElementSibling;
      else this.inner.insertBefore(row, at);
    }
  }

  /** Marks a row and brings it into sight. @param {number} index @param {boolean} [focus] */
  select(index, focus = true) {
    this.selected = Math.max(0, Math.min(index, this.length - 1));
    const { view, heights } = this;
    const top = heights.top(this.selected);
    const bottom = heights.top(this.selected + 1);
    if (top < view.scrollTop) view.scrollTop = top;
    else if (bottom > view.scrollTop + this.height) view.scrollTop = Math.min(top, bottom - this.height);
    this.show();
    if (focus) this.rows.get(this.selected)?.focus({ preventScroll: true });
  }

  /** Rows that fit. */
  get page() {
    return Math.max(1, Math.floor(this.height / this.heights.base) - 1);
  }
}
