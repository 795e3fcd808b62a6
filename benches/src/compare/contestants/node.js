'use strict';
// The workloads in JavaScript. Arguments: the workload's name and the sizes as JSON; on standard input, the arrays of
// 32-bit words that the workload needs, each behind its length. Prints one measurement as JSON.

const fs = require('node:fs');
const { performance } = require('node:perf_hooks');

const [workload, sizesText] = process.argv.slice(2);
const sizes = JSON.parse(sizesText);
const arrays = readArrays();

function readArrays() {
  const bytes = fs.readFileSync(0);
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const found = [];
  for (let at = 0; at < words.length; at += 1 + words[at]) {
    found.push(words.subarray(at + 1, at + 1 + words[at]));
  }
  return found;
}

function timed(work) {
  const wall = performance.now();
  const cpu = process.cpuUsage();
  const result = work();
  const used = process.cpuUsage(cpu);
  return { ns: (used.user + used.system) * 1000, wall_ns: (performance.now() - wall) * 1e6, result };
}

function medianOf(times, work) {
  const spans = Array.from({ length: times }, () => timed(work));
  spans.sort((a, b) => a.ns - b.ns);
  return spans[spans.length >> 1];
}

function peakRssBytes() {
  try {
    const line = /^VmHWM:\s*(\d+) kB$/m.exec(fs.readFileSync('/proc/self/status', 'utf8'));
    return line ? Number(line[1]) * 1024 : null;
  } catch {
    return null;
  }
}

function measurement(span, operations, checksum, bytes = null) {
  return { ns: span.ns, wall_ns: span.wall_ns, operations, bytes, checksum, peak_rss_bytes: peakRssBytes() };
}

// Trees: the same order of allocation as in trees.rs.

class Tree {
  constructor(left, right) {
    this.left = left;
    this.right = right;
  }
}

function complete(depth) {
  return depth === 0 ? new Tree(null, null) : new Tree(complete(depth - 1), complete(depth - 1));
}

function check(tree) {
  return 1 + (tree.left === null ? 0 : check(tree.left)) + (tree.right === null ? 0 : check(tree.right));
}

const completeNodes = (depth) => 2 ** (depth + 1) - 1;

function binaryTrees() {
  const longest = sizes.tree_depth;
  let operations = completeNodes(longest + 1) + completeNodes(longest);
  const span = timed(() => {
    let total = check(complete(longest + 1));
    const long = complete(longest);
    for (let depth = 4; depth <= longest; depth += 2) {
      const count = 2 ** (longest - depth + 4);
      operations += count * completeNodes(depth);
      for (let each = 0; each < count; each++) {
        total += check(complete(depth));
      }
    }
    return total + check(long);
  });
  return measurement(span, operations, span.result);
}

class Node {
  constructor(left, right, value) {
    this.left = left;
    this.right = right;
    this.value = value;
  }
}

function balanced(nodes) {
  if (nodes === 0) return null;
  const half = (nodes - 1) >> 1;
  const left = balanced(half);
  const right = balanced(nodes - 1 - half);
  return new Node(left, right, nodes);
}

function balancedPair(nodes) {
  if (nodes === 0) return [null, null];
  const half = (nodes - 1) >> 1;
  const [firstLeft, secondLeft] = balancedPair(half);
  const [firstRight, secondRight] = balancedPair(nodes - 1 - half);
  const first = new Node(firstLeft, firstRight, nodes);
  const second = new Node(secondLeft, secondRight, nodes);
  return [first, second];
}

// Graphs.

function layOut() {
  const [, links, roots] = arrays;
  const nodes = new Array(links.length / 2);
  for (let at = 0; at < nodes.length; at++) nodes[at] = new Node(null, null, at);
  for (let at = 0; at < nodes.length; at++) {
    nodes[at].left = nodes[links[2 * at]];
    nodes[at].right = nodes[links[2 * at + 1]];
  }
  return Array.from(roots, (root) => nodes[root]);
}

function walk(root) {
  let at = root;
  let sum = 0;
  for (const turn of arrays[0]) {
    sum = (Math.imul(sum, 31) + at.value) | 0;
    at = (turn === 0 ? at.left : at.right) ?? root;
  }
  return sum >>> 0;
}

function mark(root) {
  const span = medianOf(sizes.collections, () => gc());
  return measurement(span, sizes.objects, walk(root));
}

function halfDead(roots) {
  gc();
  const span = timed(() => {
    roots[1] = null;
    gc();
    roots[1] = balanced(sizes.objects / 2);
  });
  return measurement(span, sizes.objects, walk(roots[0]) + walk(roots[1]));
}

// Reading.

class Three {
  constructor(value) {
    this.a = this.b = this.c = value;
  }
}

class Five {
  constructor(value) {
    this.a = this.b = this.c = this.d = this.e = value;
  }
}

function read(reading, Payload) {
  const nodes = Array.from({ length: reading.nodes }, (_, at) => new Payload(at));
  const handles = Array.from(arrays[0], (at) => nodes[at]);
  const span = timed(() => {
    let sum = 0;
    for (let pass = 0; pass < reading.passes; pass++) {
      for (let at = 0; at < handles.length; at++) sum += handles[at].a;
    }
    return sum;
  });
  return measurement(span, reading.nodes * reading.passes, span.result);
}

function sum(node) {
  return node.value + (node.left === null ? 0 : sum(node.left)) + (node.right === null ? 0 : sum(node.right));
}

function walkHot() {
  const root = balanced(sizes.hot.nodes);
  const span = timed(() => {
    let total = 0;
    for (let pass = 0; pass < sizes.hot.passes; pass++) total += sum(root);
    return total;
  });
  return measurement(span, sizes.hot.nodes * sizes.hot.passes, span.result);
}

function memory() {
  const before = peakRssBytes();
  const span = timed(() => {
    const root = balanced(sizes.objects);
    gc();
    return root;
  });
  const after = peakRssBytes();
  const bytes = before === null ? null : after - before;
  return measurement(span, sizes.objects, walk(span.result), bytes);
}

// What is weak.

class Chain {
  constructor(links, reversed) {
    const keys = Array.from({ length: links + 1 }, (_, value) => new Node(null, null, value));
    this.map = new WeakMap();
    for (let at = 0; at < links; at++) {
      const from = reversed ? links - 1 - at : at;
      this.map.set(keys[from], keys[from + 1]);
    }
    this.first = keys[0];
  }

  walk() {
    let total = 0;
    for (let key = this.first; key !== undefined; key = this.map.get(key)) total += key.value;
    return total;
  }
}

function ephemerons(reversed) {
  const chain = new Chain(sizes.ephemerons, reversed);
  const span = medianOf(sizes.collections, () => gc());
  return measurement(span, sizes.ephemerons, chain.walk());
}

function ephemeronsTwice() {
  // One after the other, as a collection is of the whole heap.
  let chain = new Chain(sizes.ephemerons, true);
  const short = medianOf(sizes.collections, () => gc());
  let sum = chain.walk();
  chain = new Chain(sizes.ephemerons * 2, true);
  gc();
  const long = medianOf(sizes.collections, () => gc());
  sum += chain.walk();
  return measurement(long, Math.max(Math.round(short.ns), 1), sum);
}

function weakHandles() {
  const strong = Array.from({ length: sizes.weak_handles }, (_, value) => new Node(null, null, value));
  const weak = strong.map((node) => new WeakRef(node));
  // A WeakRef keeps its target to the end of the job, so that the rest is done in the next one.
  return new Promise((resolve) => {
    setTimeout(() => {
      gc();
      for (let at = 0; at < strong.length; at += 2) strong[at] = null;
      const span = timed(() => gc());
      let sum = 0;
      for (const each of weak) sum += each.deref()?.value ?? 0;
      resolve(measurement(span, sizes.weak_handles, sum));
    });
  });
}

// Buffers: the same as in buffers.rs.

function buffers({ made, kept, bytes }) {
  const span = timed(() => {
    const alive = [];
    for (let n = 0; n < made; n++) {
      const buffer = new Uint8Array(new ArrayBuffer(bytes));
      buffer[0] = n & 0xff;
      buffer[bytes - 1] = (n >> 8) & 0xff;
      if (n < kept) alive.push(buffer);
      else alive[n % kept] = buffer;
    }
    return alive.reduce((sum, buffer) => sum + buffer[0] + buffer[bytes - 1], 0);
  });
  return measurement(span, made, span.result);
}

function typedArray() {
  const array = new Int32Array(sizes.hot.nodes);
  const span = timed(() => {
    for (let pass = 0; pass < sizes.hot.passes; pass++) {
      for (let at = 0; at < array.length; at++) array[at] = Math.imul(array[at], 5) + 1;
    }
  });
  return measurement(span, sizes.hot.nodes * sizes.hot.passes, array.reduce((sum, value) => sum + (value >>> 24), 0));
}

const workloads = {
  'small-buffers': () => buffers(sizes.small_buffers),
  'large-buffers': () => buffers(sizes.large_buffers),
  'typed-array': typedArray,
  'binary-trees': binaryTrees,
  'mark-random': () => mark(layOut()[0]),
  'mark-tree': () => mark(balanced(sizes.objects)),
  'half-dead-tree': () => halfDead(balancedPair(sizes.objects / 2)),
  'half-dead-random': () => halfDead(layOut()),
  'read-hot': () => read(sizes.hot, Three),
  'walk-hot': walkHot,
  'read-cold': () => read(sizes.cold, Five),
  memory,
  'ephemerons-reverse': () => ephemerons(true),
  'ephemerons-twice': ephemeronsTwice,
  'ephemerons-ordered': () => ephemerons(false),
  'weak-handles': weakHandles,
};

Promise.resolve(workloads[workload]()).then((measured) => console.log(JSON.stringify(measured)));
