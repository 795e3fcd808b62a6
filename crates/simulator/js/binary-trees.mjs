// Binary trees: see `binary_trees.rs`.
import { Checksum } from './common.mjs';

const SHALLOWEST = 4;

class Node {
  constructor(left, right) {
    this.left = left;
    this.right = right;
  }
}

const tree = (depth) => (depth === 0 ? new Node(null, null) : new Node(tree(depth - 1), tree(depth - 1)));
const count = (node) => (node === null ? 0 : 1 + count(node.left) + count(node.right));

export const operations = ({ depth, rounds }) => {
  let sum = 0;
  const shallowest = Math.min(SHALLOWEST, depth);
  for (let at = shallowest; at <= depth; at += 2) sum += 2 ** (depth - at + shallowest) * (2 ** (at + 1) - 1);
  return rounds * sum;
};

export function run({ depth, rounds }, seed, session) {
  const checksum = new Checksum();
  const shallowest = Math.min(SHALLOWEST, depth);
  const longLived = tree(depth);
  for (let round = 0; round < rounds; round++) {
    for (let at = shallowest; at <= depth; at += 2) {
      let nodes = 0;
      for (let trees = 2 ** (depth - at + shallowest); trees > 0; trees--) {
        nodes = (nodes + count(tree(at))) | 0;
        session.done(2 ** (at + 1) - 1);
      }
      checksum.add(nodes);
    }
  }
  checksum.add(count(longLived));
  return checksum.get();
}
