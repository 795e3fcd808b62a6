// A gallery of images: see `images.rs`.
import { Checksum, Numbers, sumOf, text } from './common.mjs';

const [SMALLEST, UNIT] = [64, 64];
const THUMBNAIL = 32;
const HISTOGRAM = 64;

class Image {
  constructor(number, caption, histogram, thumbnail) {
    this.number = number;
    this.caption = caption;
    this.histogram = histogram;
    this.thumbnail = thumbnail;
    this.pixels = null;
  }
}

class Gallery {
  constructor(images, largest) {
    this.largest = largest;
    this.images = new Array(images).fill(null);
    this.decoded = [];
  }

  lookAt(at, most, random) {
    let image = this.images[at];
    const place = this.decoded.indexOf(image);
    if (image !== null && place >= 0) {
      this.decoded.splice(place, 1);
      this.decoded.push(image);
      return image;
    }
    if (this.decoded.length >= most) this.decoded.shift().pixels = null;
    const pixels = decode(random, this.largest);
    if (image === null) {
      image = add(at, pixels, random);
      this.images[at] = image;
    }
    image.pixels = pixels;
    this.decoded.push(image);
    return image;
  }
}

const pixelsOf = (side) => new Uint32Array(new ArrayBuffer(side * side * 4));

function decode(random, largest) {
  const side = SMALLEST + (random % (Math.floor((largest - SMALLEST) / UNIT) + 1)) * UNIT;
  const pixels = pixelsOf(side);
  const numbers = new Numbers(random);
  for (let at = 0; at < pixels.length; at++) pixels[at] = numbers.next();
  return pixels;
}

function add(at, pixels, random) {
  const thumbnail = pixelsOf(THUMBNAIL);
  const apart = Math.floor(pixels.length / thumbnail.length);
  const histogram = new Array(HISTOGRAM).fill(0);
  for (let pixel = 0; pixel < thumbnail.length; pixel++) {
    thumbnail[pixel] = pixels[pixel * apart];
    histogram[thumbnail[pixel] % HISTOGRAM] += 1;
  }
  return new Image(at, text(random), histogram, thumbnail);
}

function read({ number, caption, histogram, thumbnail, pixels }) {
  let sum = (number + sumOf(caption)) | 0;
  for (let at = 0; at < pixels.length; at += 997) sum = ((sum << 1) | (sum >>> 31)) ^ pixels[at];
  for (let at = 0; at < thumbnail.length; at++) sum = ((sum << 1) | (sum >>> 31)) ^ thumbnail[at];
  for (let at = 0; at < HISTOGRAM; at++) sum = (Math.imul(sum, 31) + histogram[at]) | 0;
  return sum;
}

export const operations = ({ views }) => views;

export function run({ images, decoded, side, views }, seed, session) {
  const numbers = new Numbers(seed);
  const checksum = new Checksum();
  const gallery = new Gallery(images, side);
  for (let view = 0; view < views; view++) {
    const at = numbers.skewed(images);
    checksum.add(read(gallery.lookAt(at, decoded, numbers.next())));
    session.done(1);
  }
  return checksum.get();
}
