// Requests and responses: see `requests.rs`.
import { Checksum, Numbers, sumOf, text } from './common.mjs';

const CHILDREN = 4;
const VISITED = 8;
const CART = 8;

class Element {
  constructor(tag, text, first, sibling) {
    this.tag = tag;
    this.text = text;
    this.first = first;
    this.sibling = sibling;
  }
}

class Visitor {
  constructor(name) {
    this.name = name;
    this.visits = 0;
    this.answer = null;
    this.cart = null;
  }
}

class Item {
  constructor(number, next) {
    this.number = number;
    this.next = next;
  }
}

function parse(levels, sibling, numbers) {
  let first = null;
  if (levels > 0) {
    for (let child = 0; child < CHILDREN; child++) first = parse(levels - 1, first, numbers);
  }
  const number = numbers.next();
  return new Element(number >>> 24, text(number), first, sibling);
}

function sum(element) {
  let result = 0;
  for (let at = element; at !== null; at = at.sibling) {
    result = (result + at.tag + sumOf(at.text) + sum(at.first)) | 0;
  }
  return result;
}

// Where answers are put together, so that each is a string of its own and no rope of others.
const scratch = Buffer.alloc(64 * 1024);

function answer(element) {
  let length = 0;
  for (let at = element; at !== null; at = at.first) length += scratch.latin1Write(at.text, length);
  return scratch.latin1Slice(0, length);
}

export const operations = ({ requests }) => requests;

export function run({ requests, sessions, levels }, seed, session) {
  const numbers = new Numbers(seed);
  const checksum = new Checksum();
  const visitors = new Array(sessions).fill(null);
  for (let at = 0; at < sessions; at++) visitors[at] = new Visitor(text(numbers.next()));
  for (let request = 0; request < requests; request++) {
    const document = parse(levels, null, numbers);
    checksum.add(sum(document));
    const response = answer(document);
    checksum.add(response.length);
    for (let visit = 0; visit < VISITED; visit++) {
      const visitor = visitors[numbers.below(sessions)];
      const next = visitor.visits % CART === 0 ? null : visitor.cart;
      visitor.cart = new Item(numbers.next() & 0xffff, next);
      visitor.visits += 1;
      visitor.answer = response;
    }
    session.done(1);
  }
  checksum.add(sumOfAll(visitors));
  return checksum.get();
}

function sumOfAll(visitors) {
  const sum = new Checksum();
  for (const { name, visits, answer, cart } of visitors) {
    sum.add(sumOf(name));
    sum.add(visits);
    sum.add(answer === null ? 0 : answer.length);
    for (let item = cart; item !== null; item = item.next) sum.add(item.number);
  }
  return sum.get();
}
