//! A gallery: images in large buffers, of which a few are kept decoded, and a thumbnail of each that was seen lately.
//!
//! Looking at an image decodes it, unless it is among those that are decoded already: an `ArrayBuffer` of some megabytes.
//! The one that was looked at longest ago makes room. A new image gets a thumbnail, whose buffer is small, a histogram and a
//! caption. So the heap has some hundred small objects, and outside of it are many times as many bytes.

use super::numbers::{Checksum, Numbers, sum_of, text};
use super::shapes::{Array, Words, or_collect, put, put_slice, put_text};
use super::{Definition, Parameter, Workload};
use crate::session::{Session, Stop};
use tumulus_arraybuffer::{ArrayBuffer, ElementKind, TypedArray};
use tumulus_heap::{Gc, Heap, Trace};

pub(super) const DEFINITION: Definition = Definition {
    name: "images",
    summary: "a gallery with images in large buffers, of which a few are decoded",
    page: include_str!("../../pages/images.md"),
    parameters: &[
        Parameter::count("images", "images in the gallery", 1_000, 1..=1_000_000),
        Parameter::count("decoded", "images that are kept decoded", 12, 1..=1_000),
        Parameter::count("side", "side of the largest image, in pixels", 1_280, 64..=16_384),
        Parameter::count("views", "how often one is looked at", 2_000, 1..=1_000_000_000),
    ],
    make: |values| {
        Ok(Box::new(Images {
            gallery: values.count("images") as u32,
            decoded: values.count("decoded") as usize,
            side: values.count("side") as u32,
            views: values.count("views") as u32,
        }))
    },
};

/// The side of the smallest image, in pixels of four bytes, and by how much sides differ.
const SIDES: [u32; 2] = [64, 64];
/// The side of a thumbnail.
const THUMBNAIL: u32 = 32;
/// How many numbers a histogram has.
const HISTOGRAM: usize = 64;

#[derive(Debug)]
struct Images {
    /// How many images there are in all, of which those kept have a thumbnail.
    gallery: u32,
    /// How many of them are kept decoded.
    decoded: usize,
    /// The side of the largest image in pixels.
    side: u32,
    /// How often one is looked at.
    views: u32,
}

/// An image in the gallery.
#[derive(Debug, Trace)]
struct Image {
    words: Words,
    number: u64,
    caption: Gc<str>,
    histogram: Gc<Array<u64>>,
    thumbnail: TypedArray,
    pixels: Option<TypedArray>,
}

#[derive(Debug, Trace)]
struct Gallery {
    images: Gc<[Option<Gc<Image>>]>,
    /// Those that are decoded; the one looked at last is at the end.
    decoded: Vec<Gc<Image>>,
    /// The side of the largest.
    largest: u32,
}

impl Workload for Images {
    fn run(&mut self, session: &mut Session) -> Result<u64, Stop> {
        let mut numbers = Numbers::new(session.random().get_seed());
        let mut checksum = Checksum::default();
        let images = put_slice(session.heap(), &(), self.gallery as usize, |_| None)?;
        let mut gallery = Gallery { images, decoded: Vec::new(), largest: self.side };
        session.plan(u64::from(self.views));
        session.phase("looking");
        for _ in 0..self.views {
            let at = numbers.skewed(self.gallery);
            let image = gallery.look_at(session, at, self.decoded, numbers.next())?;
            checksum.add(read(session.heap(), image)?);
            session.done(1);
            session.safepoint(&gallery)?;
        }
        Ok(checksum.get())
    }
}

impl Gallery {
    /// An image, decoded, and listed as the one looked at last.
    fn look_at(&mut self, session: &mut Session, at: u32, most: usize, random: u32) -> Result<Gc<Image>, Stop> {
        let known = session.heap()[self.images][at as usize];
        if let Some(place) = self.decoded.iter().position(|&image| Some(image) == known) {
            let image = self.decoded.remove(place);
            self.decoded.push(image);
            return Ok(image);
        }
        if self.decoded.len() >= most {
            let image = self.decoded.remove(0);
            session.heap().get_mut(image).pixels = None;
        }
        let pixels = self.decode(session, random)?;
        let image = match known {
            Some(image) => image,
            None => self.add(session, at, pixels, random)?,
        };
        session.heap().get_mut(image).pixels = Some(pixels);
        self.decoded.push(image);
        Ok(image)
    }
}

impl Gallery {
    /// A buffer with the pixels of an image, whose size depends on the number too.
    fn decode(&self, session: &mut Session, random: u32) -> Result<TypedArray, Stop> {
        let [smallest, unit] = SIDES;
        let side = smallest + random % ((self.largest - smallest) / unit + 1) * unit;
        let pixels = self.pixels(session, side)?;
        let mut numbers = Numbers::new(u64::from(random));
        for pixel in pixels.as_mut_slice::<u32>(session.heap())? {
            *pixel = numbers.next();
        }
        Ok(pixels)
    }

    /// A view of a new buffer for a square image.
    fn pixels(&self, session: &mut Session, side: u32) -> Result<TypedArray, Stop> {
        let heap = session.heap();
        let buffer = ArrayBuffer::new_or_collect(heap, self, u64::from(side * side * 4))?;
        let view = |heap: &mut Heap| TypedArray::new(heap, ElementKind::Uint32, buffer, 0, None);
        Ok(or_collect(heap, &(self, buffer), view)?)
    }

    /// Adds an image to the gallery.
    fn add(&self, session: &mut Session, at: u32, pixels: TypedArray, random: u32) -> Result<Gc<Image>, Stop> {
        let thumbnail = self.pixels(session, THUMBNAIL)?;
        let sampled: Vec<u32> = {
            let pixels = pixels.as_slice::<u32>(session.heap())?;
            let apart = pixels.len() / (THUMBNAIL * THUMBNAIL) as usize;
            pixels.iter().step_by(apart).take((THUMBNAIL * THUMBNAIL) as usize).copied().collect()
        };
        thumbnail.as_mut_slice::<u32>(session.heap())?.copy_from_slice(&sampled);
        let mut counts = [0; HISTOGRAM];
        for &pixel in &sampled {
            counts[pixel as usize % HISTOGRAM] += 1;
        }

        let kept = (self, pixels, thumbnail);
        let caption = put_text(session.heap(), &kept, text(random))?;
        let counts = put_slice(session.heap(), &(&kept, caption), HISTOGRAM, |at| counts[at])?;
        let histogram = put(session.heap(), &(&kept, caption), Array::of(counts, HISTOGRAM))?;
        let number = u64::from(at);
        let image = Image { words: Words::default(), number, caption, histogram, thumbnail, pixels: None };
        let image = put(session.heap(), &(self, pixels), image)?;
        let at = at as usize;
        session.heap().slice_mut(self.images, at..=at)[0] = Some(image);
        Ok(image)
    }
}

/// Looks at an image: a line of its pixels, and what else there is.
fn read(heap: &Heap, image: Gc<Image>) -> Result<u32, Stop> {
    let Image { number, caption, histogram, thumbnail, pixels, .. } = &heap[image];
    let mut sum = (*number as u32).wrapping_add(sum_of(&heap[*caption]));
    let [pixels, thumbnail] =
        [pixels.expect("it has just been decoded"), *thumbnail].map(|view| view.as_slice::<u32>(heap));
    for &pixel in pixels?.iter().step_by(997).chain(thumbnail?) {
        sum = sum.rotate_left(1) ^ pixel;
    }
    Ok(heap[heap[*histogram].elements].iter().fold(sum, |sum, &count| sum.wrapping_mul(31).wrapping_add(count as u32)))
}
