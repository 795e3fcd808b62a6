//! A host that lends memory to a guest, and takes it back.
//!
//! The host has frames of a video, in memory of its own. A guest paints into one through an `ArrayBuffer`: nothing is copied. When
//! the time is up, the host takes the memory away, whatever the guest still holds. And the other way round: the
//! guest makes a picture, and a thread of the host reads it, while the guest's collector does what it likes.

use tumulus_arraybuffer::{ArrayBuffer, BackingStore, DetachKey, Element, ElementKind, Error, TypedArray, registry};
use tumulus_heap::{Heap, Trace};

const WIDTH: usize = 64;
const HEIGHT: usize = 48;
/// Who has no key cannot detach: the guest could give away, with `transfer`, what was only lent to it.
const HOST: DetachKey = DetachKey::Number(0x7075_7070_6574);

/// The guest's globals.
#[derive(Default, Trace)]
struct Guest {
    kept: Option<TypedArray>,
}

impl Guest {
    /// What the guest's program does when it is told to paint: it fills the frame, and keeps a view of it, which it should not.
    fn paint(&mut self, heap: &mut Heap, frame: ArrayBuffer, color: f64) -> Result<(), Error> {
        let pixels = TypedArray::new(heap, ElementKind::Uint8, frame, 0, None)?;
        for at in 0..pixels.length(heap) {
            pixels.set(heap, at, Element::Number(color))?;
        }
        self.kept = Some(pixels);
        assert!(matches!(frame.detach(heap, DetachKey::Undefined), Err(Error::DetachKey)));
        Ok(())
    }

    /// A picture of the guest's own.
    fn draw(&mut self, heap: &mut Heap) -> Result<ArrayBuffer, Error> {
        let buffer = ArrayBuffer::new_or_collect(heap, &*self, (WIDTH * HEIGHT) as u64)?;
        buffer.as_mut_slice(heap)?.iter_mut().zip(0_u8..=255).for_each(|(pixel, shade)| *pixel = shade);
        Ok(buffer)
    }
}

/// Lends a frame to the guest for one call. Afterwards the host alone has it.
fn lend(heap: &mut Heap, guest: &mut Guest, frame: &BackingStore, color: f64) -> Result<(), Error> {
    let buffer = ArrayBuffer::from_store(heap, frame.clone())?;
    buffer.set_detach_key(heap, HOST);
    let painted = guest.paint(heap, buffer, color);
    buffer.detach(heap, HOST)?; // also if the guest has failed
    painted
}

fn main() -> Result<(), Error> {
    let mut heap = Heap::builder().limit(1 << 20).build();
    let mut guest = Guest::default();

    let frames: Vec<BackingStore> = (0..3).map(|_| BackingStore::from_vec(vec![0; WIDTH * HEIGHT])).collect();
    for (frame, color) in frames.iter().zip([10.0, 20.0, 30.0]) {
        lend(&mut heap, &mut guest, frame, color)?;
        let first = frame.with_bytes(|bytes| bytes[0])?;
        println!("painted with {first}; references to the frame: {}", frame.use_count());
        assert_eq!((f64::from(first), frame.use_count()), (color, 1));
    }

    // The guest has kept a view. It leads nowhere now.
    let kept = guest.kept.expect("it was told to paint");
    println!("the view that the guest has kept: {} elements, {:?}", kept.length(&heap), kept.get(&heap, 0));
    assert_eq!(kept.get(&heap, 0), None);

    // The other way round. Bytes belong to one at a time: the guest gives them up, and the thread holds them, and no handle.
    let picture = guest.draw(&mut heap)?;
    let bytes = picture.externalize(&mut heap);
    picture.detach(&mut heap, DetachKey::Undefined)?;
    let sum = |bytes: &[u8]| bytes.iter().map(|&byte| u64::from(byte)).sum::<u64>();
    let encoder = std::thread::spawn(move || bytes.with_bytes(sum));
    heap.collect(&guest); // the buffer dies, and its bytes do not
    assert!(!heap.contains(picture.erase()));
    println!("the encoder's checksum: {}", encoder.join().expect("it does not panic")?);

    // At the end nobody else holds anything.
    drop(frames);
    let left = registry::leak_report();
    println!("held from outside at the end: {} bytes", left.bytes());
    assert_eq!(left.bytes(), 0);
    Ok(())
}
