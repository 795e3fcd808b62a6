// A cache of strings: see `lru.rs`.
import { Checksum, Numbers, scatter, sumOf, text } from './common.mjs';

const KEYS = 4;

class Entry {
  constructor(key, text, chain) {
    this.key = key;
    this.text = text;
    this.newer = null;
    this.older = null;
    this.chain = chain;
  }
}

class Cache {
  constructor(capacity) {
    this.capacity = capacity;
    this.length = 2 ** Math.ceil(Math.log2(capacity));
    this.buckets = new Array(this.length).fill(null);
    this.newest = null;
    this.oldest = null;
    this.entries = 0;
  }

  // The product is exact: it has less than 53 bits.
  bucketOf(key) {
    return Math.floor((scatter(key) * this.length) / 2 ** 32);
  }

  find(key) {
    let entry = this.buckets[this.bucketOf(key)];
    while (entry !== null && entry.key !== key) entry = entry.chain;
    return entry;
  }

  add(key) {
    if (this.entries === this.capacity) this.evict();
    const bucket = this.bucketOf(key);
    const entry = new Entry(key, text(scatter(key)), this.buckets[bucket]);
    this.buckets[bucket] = entry;
    this.entries += 1;
    return entry;
  }

  evict() {
    const oldest = this.oldest;
    if (oldest === null) return;
    this.unlist(oldest);
    this.entries -= 1;
    const bucket = this.bucketOf(oldest.key);
    let before = null;
    for (let at = this.buckets[bucket]; at !== oldest; at = at.chain) before = at;
    if (before === null) this.buckets[bucket] = oldest.chain;
    else before.chain = oldest.chain;
  }

  list(entry) {
    entry.newer = null;
    entry.older = this.newest;
    if (this.newest === null) this.oldest = entry;
    else this.newest.newer = entry;
    this.newest = entry;
  }

  unlist({ newer, older }) {
    if (newer === null) this.newest = older;
    else newer.older = older;
    if (older === null) this.oldest = newer;
    else older.newer = newer;
  }
}

export const operations = ({ lookups }) => lookups;

export function run({ capacity, lookups }, seed, session) {
  const numbers = new Numbers(seed);
  const checksum = new Checksum();
  const cache = new Cache(capacity);
  let hits = 0;
  for (let lookup = 0; lookup < lookups; lookup++) {
    const key = numbers.skewed(Math.min(capacity * KEYS, 2 ** 32 - 1));
    let entry = cache.find(key);
    if (entry !== null) {
      hits += 1;
      cache.unlist(entry);
    } else {
      entry = cache.add(key);
    }
    cache.list(entry);
    checksum.add(sumOf(entry.text));
    session.done(1);
  }
  checksum.add(hits);
  return checksum.get();
}
