'use strict';
// The workloads in JavaScript. Arguments: the workload's name and the sizes as JSON. Prints one measurement as JSON.
//
// Random numbers, texts and checksums are those of random.rs; what a workload does is described in forest.rs, splay.rs,
// lru.rs and bursts.rs.

const fs = require('node:fs');
const { performance, PerformanceObserver } = require('node:perf_hooks');

const [workload, sizesText] = process.argv.slice(2);
const sizes = JSON.parse(sizesText);

// Measuring.

const pauses = [];
const observer = new PerformanceObserver((list) => note(list.getEntries()));
observer.observe({ entryTypes: ['gc'] });

function note(entries) {
  for (const { startTime, duration } of entries) pauses.push([startTime, duration]);
}

let begun;

function begin() {
  begun = { wall: performance.now(), cpu: process.cpuUsage() };
}

// The entries arrive when the program returns to its event loop, so the rest is done there.
function end(operations, checksum) {
  const used = process.cpuUsage(begun.cpu);
  const wall = performance.now() - begun.wall;
  const peak = peakRssBytes();
  setTimeout(() => {
    note(observer.takeRecords());
    console.log(
      JSON.stringify({
        ns: (used.user + used.system) * 1000,
        wall_ns: wall * 1e6,
        operations,
        checksum: checksum(),
        peak_rss_bytes: peak,
        pauses: pauses.map(([start, length]) => [(start - begun.wall) * 1e6, length * 1e6]),
      }),
    );
    observer.disconnect();
  }, 50);
}

function peakRssBytes() {
  try {
    const line = /^VmHWM:\s*(\d+) kB$/m.exec(fs.readFileSync('/proc/self/status', 'utf8'));
    return line ? Number(line[1]) * 1024 : null;
  } catch {
    return null;
  }
}

// Random numbers and texts.

let state = 0x74756d75;

function next() {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return state >>> 0;
}

const below = (bound) => next() % bound;
const scatter = (number) => Math.imul(number, 0x9e3779b1) >>> 0;

const STARTS = 4096;
const letters = Buffer.from(Array.from({ length: STARTS + 128 }, (_, at) => 97 + ((at * 7 + (at >> 5)) % 26)));

// A string of its own: what `substring` gives would only refer to the letters.
function text(number) {
  const start = number % STARTS;
  return letters.latin1Slice(start, start + 16 + ((number >>> 12) % 113));
}

const sumOf = (text) => text.length + text.charCodeAt(0);

// Trees.

class Tree {
  constructor(left, right, value) {
    this.left = left;
    this.right = right;
    this.value = value;
  }
}

function balanced(nodes, value) {
  if (nodes === 0) return null;
  const half = (nodes - 1) >> 1;
  const left = balanced(half, value);
  return new Tree(left, balanced(nodes - 1 - half, value), value);
}

function sumTree(tree) {
  return tree === null ? 0 : tree.value + sumTree(tree.left) + sumTree(tree.right);
}

const SMALLEST = 64;
const LARGEST = 190;

class Planter {
  constructor(trees) {
    this.forest = new Array(trees).fill(null);
    this.planted = 0;
    this.nodes = 0;
  }

  plant(place) {
    const nodes = SMALLEST + below(LARGEST + 1 - SMALLEST);
    this.planted += 1;
    this.nodes += nodes;
    this.forest[place] = balanced(nodes, this.planted);
  }

  end() {
    end(this.nodes, () => this.forest.reduce((sum, tree) => sum + sumTree(tree), 0));
  }
}

function churn({ trees, replaced }) {
  const planter = new Planter(trees);
  for (let place = 0; place < trees; place++) planter.plant(place);
  planter.nodes = 0;
  begin();
  for (let each = 0; each < replaced; each++) planter.plant(below(trees));
  planter.end();
}

function growing() {
  const planter = new Planter(sizes.growing_trees);
  begin();
  for (let place = 0; place < sizes.growing_trees; place++) planter.plant(place);
  planter.end();
}

// The splay tree.

const PAYLOAD_DEPTH = 5;

class SplayNode {
  constructor(key, payload) {
    this.key = key;
    this.left = null;
    this.right = null;
    this.payload = payload;
  }
}

function payload(depth, number) {
  if (depth === 0) {
    const n = number & 0xffff;
    return {
      numbers: [n, n + 1, n + 2, n + 3, n + 4, n + 5, n + 6, n + 7, n + 8, n + 9],
      text: 'String for key ' + number + ' in leaf node',
    };
  }
  const left = payload(depth - 1, number);
  return { left, right: payload(depth - 1, number) };
}

function sumPayload(payload, depth) {
  if (depth === 0) return payload.numbers.reduce((sum, number) => sum + number, 0) + payload.text.length;
  return sumPayload(payload.left, depth - 1) + sumPayload(payload.right, depth - 1);
}

let root = null;

function splay(root, key) {
  const hook = new SplayNode(0, null);
  let left = hook;
  let right = hook;
  let current = root;
  for (;;) {
    if (key < current.key) {
      let child = current.left;
      if (child === null) break;
      if (key < child.key) {
        current.left = child.right;
        child.right = current;
        current = child;
        child = current.left;
        if (child === null) break;
      }
      right.left = current;
      right = current;
      current = child;
    } else if (key > current.key) {
      let child = current.right;
      if (child === null) break;
      if (key > child.key) {
        current.right = child.left;
        child.left = current;
        current = child;
        child = current.right;
        if (child === null) break;
      }
      left.right = current;
      left = current;
      current = child;
    } else {
      break;
    }
  }
  left.right = current.left;
  right.left = current.right;
  current.left = hook.right;
  current.right = hook.left;
  return current;
}

function add(key, number) {
  if (root === null) {
    root = new SplayNode(key, payload(PAYLOAD_DEPTH, number));
    return true;
  }
  root = splay(root, key);
  if (root.key === key) return false;
  const node = new SplayNode(key, payload(PAYLOAD_DEPTH, number));
  if (key > root.key) {
    node.left = root;
    node.right = root.right;
    root.right = null;
  } else {
    node.right = root;
    node.left = root.left;
    root.left = null;
  }
  root = node;
  return true;
}

function greatestBelow(key) {
  root = splay(root, key);
  if (root.key < key) return root.key;
  let greatest = root.left;
  if (greatest === null) return null;
  while (greatest.right !== null) greatest = greatest.right;
  return greatest.key;
}

function remove(key) {
  root = splay(root, key);
  const greater = root.right;
  if (root.left === null) {
    root = greater;
  } else {
    root = splay(root.left, key);
    root.right = greater;
  }
}

function addRandom() {
  for (;;) {
    const number = next();
    const key = number / 4294967296;
    if (add(key, number)) return key;
  }
}

function checksumSplay() {
  let sum = 0;
  const pending = [];
  let at = root;
  for (;;) {
    for (; at !== null; at = at.left) pending.push(at);
    if (pending.length === 0) return sum;
    at = pending.pop();
    sum += at.key * 4294967296 + sumPayload(at.payload, PAYLOAD_DEPTH);
    at = at.right;
  }
}

function splayWorkload() {
  for (let each = 0; each < sizes.splay_nodes; each++) addRandom();
  begin();
  for (let each = 0; each < sizes.splay_operations; each++) {
    const key = addRandom();
    remove(greatestBelow(key) ?? key);
  }
  end(sizes.splay_operations, checksumSplay);
}

// The cache: a `Map`, and a list through its entries that an entry closes.

class Entry {
  constructor(key, text) {
    this.key = key;
    this.text = text;
    this.newer = null;
    this.older = null;
  }
}

function lru() {
  const capacity = sizes.lru_capacity;
  const table = new Map();
  const ends = new Entry(0, '');
  ends.newer = ends;
  ends.older = ends;
  const unlist = (entry) => {
    entry.newer.older = entry.older;
    entry.older.newer = entry.newer;
  };
  const list = (entry) => {
    entry.newer = ends;
    entry.older = ends.older;
    entry.older.newer = entry;
    ends.older = entry;
  };
  let hits = 0;
  let sum = 0;
  begin();
  for (let each = 0; each < sizes.lru_operations; each++) {
    const bound = (capacity * 4) >>> (next() & 3);
    const key = below(bound);
    let entry = table.get(key);
    if (entry !== undefined) {
      hits += 1;
      unlist(entry);
    } else {
      if (table.size >= capacity) {
        const oldest = ends.newer;
        unlist(oldest);
        table.delete(oldest.key);
      }
      entry = new Entry(key, text(scatter(key)));
      table.set(key, entry);
    }
    list(entry);
    sum += sumOf(entry.text);
  }
  end(sizes.lru_operations, () => sum * 31 + hits);
}

// The server.

const LEVELS = 5;
const CHILDREN = 4;
const CHANGED = 8;
const CART = 8;

class Element {
  constructor(tag, text, first, sibling) {
    this.tag = tag;
    this.text = text;
    this.first = first;
    this.sibling = sibling;
  }
}

class Session {
  constructor() {
    this.text = null;
    this.cart = null;
    this.visits = 0;
  }
}

class Item {
  constructor(number, next) {
    this.number = number;
    this.next = next;
  }
}

let objects = 0;

function element(level, sibling) {
  let first = null;
  if (level < LEVELS) {
    for (let child = 0; child < CHILDREN; child++) first = element(level + 1, first);
  }
  const number = next();
  objects += 2;
  return new Element(number >>> 24, text(number), first, sibling);
}

function sumElement(element) {
  let sum = 0;
  for (; element !== null; element = element.sibling) {
    sum += element.tag + sumOf(element.text) + sumElement(element.first);
  }
  return sum;
}

function visit(session) {
  const number = next();
  session.cart = new Item(number, session.visits % CART === CART - 1 ? null : session.cart);
  session.visits += 1;
  session.text = text(number);
}

function bursts() {
  const sessions = Array.from({ length: sizes.sessions }, () => new Session());
  for (const session of sessions) visit(session);
  let sum = 0;
  begin();
  for (let request = 0; request < sizes.requests; request++) {
    sum += sumElement(element(0, null));
    for (let each = 0; each < CHANGED; each++) visit(sessions[below(sizes.sessions)]);
  }
  end(objects, () => {
    for (const session of sessions) {
      if (session.text !== null) sum += sumOf(session.text);
      for (let item = session.cart; item !== null; item = item.next) sum += item.number;
    }
    return sum;
  });
}

// The buffers.

function buffers() {
  const table = new Array(sizes.buffers).fill(null);
  const fill = (at, round) => {
    table[at] = new Uint8Array(new ArrayBuffer(64));
    table[at][0] = scatter(at) + round;
  };
  for (let at = 0; at < sizes.buffers; at++) fill(at, 0);
  begin();
  for (let half = 0; half < 2; half++) {
    for (let at = half; at < sizes.buffers; at += 2) table[at] = null;
    for (let at = half; at < sizes.buffers; at += 2) fill(at, 1);
  }
  end(sizes.buffers, () => table.reduce((sum, bytes) => sum + bytes.reduce((a, b) => a + b, 0), 0));
}

const workloads = {
  buffers,
  'live-trees': () => churn(sizes.live_trees),
  splay: splayWorkload,
  lru,
  bursts,
  growing,
  'event-loop': () => churn(sizes.event_loop),
};
workloads[workload]();
