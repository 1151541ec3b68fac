/** Items of which the first is wanted again and again. */
export interface Heap<Item> {
  push(item: Item): void;
  /** The first item, which stays; undefined where there is none. */
  peek(): Item | undefined;
  /** Takes out the first item. */
  pop(): Item | undefined;
  /** Leaves out what is not kept. */
  filter(keeps: (item: Item) => boolean): void;
  readonly size: number;
}

/** An empty binary heap: push and pop cost the logarithm of its size. */
export function createHeap<Item>(isBefore: (a: Item, b: Item) => boolean): Heap<Item> {
  let items: Item[] = [];
  const at = (index: number): Item => items[index] as Item;

  function swap(a: number, b: number): void {
    const kept = at(a);
    items[a] = at(b);
    items[b] = kept;
  }

  function rise(from: number): void {
    for (let index = from; index > 0; ) {
      const parent = (index - 1) >> 1;
      if (!isBefore(at(index), at(parent))) return;
      swap(index, parent);
      index = parent;
    }
  }

  function sink(from: number): void {
    for (let index = from; ; ) {
      const left = 2 * index + 1;
      const right = left + 1;
      if (left >= items.length) return;
      const child = right < items.length && isBefore(at(right), at(left)) ? right : left;
      if (!isBefore(at(child), at(index))) return;
      swap(index, child);
      index = child;
    }
  }

  return {
    push(item) {
      items.push(item);
      rise(items.length - 1);
    },
    peek: () => items[0],
    pop() {
      const first = items[0];
      const last = items.pop();
      if (items.length > 0 && last !== undefined) {
        items[0] = last;
        sink(0);
      }
      return first;
    },
    filter(keeps) {
      items = items.filter(keeps);
      for (let index = items.length >> 1; index >= 0; index -= 1) sink(index);
    },
    get size() {
      return items.length;
    },
  };
}
