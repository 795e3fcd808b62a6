// A splay tree: see `splay.rs`.
import { Checksum, Numbers, sumOf, text } from './common.mjs';

const NUMBERS = 10;

class Node {
  constructor(key, payload) {
    this.key = key;
    this.payload = payload;
    this.left = null;
    this.right = null;
  }
}

class Inner {
  constructor(first, second) {
    this.first = first;
    this.second = second;
  }
}

class Leaf {
  constructor(array, string) {
    this.array = array;
    this.string = string;
  }
}

function payload(depth, number) {
  if (depth > 0) return new Inner(payload(depth - 1, number), payload(depth - 1, number));
  const n = number & 0xffff;
  // The elements are exactly as many as there are: a literal has no room to spare.
  return new Leaf([n, n + 1, n + 2, n + 3, n + 4, n + 5, n + 6, n + 7, n + 8, n + 9], text(number));
}

export const operations = ({ nodes, operations }) => nodes + operations;

export function run({ nodes, 'payload-depth': depth, operations }, seed, session) {
  const numbers = new Numbers(seed);
  const tree = new Tree(depth);
  for (let at = 0; at < nodes; at++) {
    while (!tree.add(numbers.next()));
    session.done(1);
  }
  for (let at = 0; at < operations; at++) {
    let number;
    do number = numbers.next();
    while (!tree.add(number));
    const key = number / 2 ** 32;
    tree.remove(tree.greatestBelow(key) ?? key);
    session.done(1);
  }
  return tree.sum();
}

class Tree {
  constructor(depth) {
    this.depth = depth;
    this.root = null;
  }

  add(number) {
    const key = number / 2 ** 32;
    const top = this.splay(key);
    if (top !== null && top.key === key) return false;
    const node = new Node(key, payload(this.depth, number));
    if (top !== null) {
      if (key > top.key) {
        node.left = top;
        node.right = top.right;
        top.right = null;
      } else {
        node.right = top;
        node.left = top.left;
        top.left = null;
      }
    }
    this.root = node;
    return true;
  }

  // From the top down, after Sleator and Tarjan.
  splay(key) {
    let current = this.root;
    if (current === null) return null;
    const hook = new Node(null, null);
    let left = hook;
    let right = hook;
    for (;;) {
      const here = current.key;
      if (key < here) {
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
      } else if (key > here) {
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
    return (this.root = current);
  }

  greatestBelow(key) {
    const top = this.splay(key);
    if (top === null) return null;
    if (top.key < key) return top.key;
    let greatest = top.left;
    if (greatest === null) return null;
    while (greatest.right !== null) greatest = greatest.right;
    return greatest.key;
  }

  remove(key) {
    const top = this.splay(key);
    if (top === null) return;
    const { left, right } = top;
    if (left === null) {
      this.root = right;
      return;
    }
    this.root = left;
    this.splay(key).right = right;
  }

  sum() {
    const sum = new Checksum();
    const pending = [];
    let at = this.root;
    while (at !== null || pending.length > 0) {
      for (; at !== null; at = at.left) pending.push(at);
      const node = pending.pop();
      sum.add((node.key * 2 ** 32) | 0);
      sumOfPayload(node.payload, this.depth, sum);
      at = node.right;
    }
    return sum.get();
  }
}

function sumOfPayload(payload, depth, sum) {
  if (depth > 0) {
    sumOfPayload(payload.first, depth - 1, sum);
    sumOfPayload(payload.second, depth - 1, sum);
    return;
  }
  for (let at = 0; at < NUMBERS; at++) sum.add(payload.array[at]);
  sum.add(sumOf(payload.string));
}
