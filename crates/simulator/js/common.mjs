// What the workloads have in common: random numbers, texts and checksums as in `numbers.rs`, and somebody to tell how far
// the work is. All arithmetic is in 32 bits.

// Both halves of the seed count, and the generator never leaves zero.
export class Numbers {
  constructor(seed) {
    const wide = BigInt(seed);
    const folded = (scatter(Number((wide >> 32n) & 0xffffffffn)) ^ Number(wide & 0xffffffffn)) >>> 0;
    this.state = folded === 0 ? 0x74756d75 : folded | 0;
  }

  next() {
    let state = this.state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.state = state;
    return state >>> 0;
  }

  below(end) {
    return this.next() % end;
  }

  skewed(end) {
    const part = end >>> (this.next() & 3);
    return this.below(Math.max(part, 1));
  }
}

export const scatter = (number) => Math.imul(number, 0x9e3779b1) >>> 0;

const STARTS = 4096;
const letters = Buffer.from(Array.from({ length: STARTS + 128 }, (_, at) => 97 + ((at * 7 + (at >> 5)) % 26)));

// A string of its own, as one that was read from a socket: what `substring` gives would only refer to the letters.
export function text(number) {
  const start = number % STARTS;
  return letters.latin1Slice(start, start + 16 + ((number >>> 12) % 113));
}

export const sumOf = (text) => text.length + text.charCodeAt(0);

export class Checksum {
  constructor() {
    this.sum = 0;
  }

  add(number) {
    this.sum = (Math.imul(this.sum, 31) + number) | 0;
  }

  get() {
    return this.sum >>> 0;
  }
}
