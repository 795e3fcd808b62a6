//! Files that are not what was written: each is an error that says where, and nothing is half done.

use tumulus_heap::{Heap, Zeal};
use tumulus_trace::{Flaw, Reader, Recorder, Replay, Safepoints, TraceError, check, info};

fn sample() -> Vec<u8> {
    let mut heap = Heap::builder().zeal(Zeal::none()).nursery(2000).build();
    let mut recorder = Recorder::start_with(&mut heap, Vec::new(), Safepoints::Every(1000)).unwrap();
    let mut kept = Vec::new();
    for n in 0..200_u64 {
        kept.push(heap.alloc([n; 4]));
        heap.alloc_str("a text");
        kept.truncate(30);
        if n == 100 {
            recorder.phase(&mut heap, "half").unwrap();
        }
        heap.safepoint(&kept);
    }
    recorder.finish(&mut heap).unwrap().0
}

fn all(file: &[u8]) -> Result<u64, TraceError> {
    info(file)?;
    check(file)?;
    Replay::new(file)?.run().map(|replayed| replayed.objects)
}

#[test]
fn every_flipped_byte_is_an_error() {
    let file = sample();
    assert_eq!(all(&file).unwrap(), 400);
    for at in (0..file.len()).step_by(if cfg!(miri) { 97 } else { 1 }) {
        for change in [0x01, 0x10, 0x80, 0xff] {
            let mut damaged = file.clone();
            damaged[at] ^= change;
            let error = all(&damaged).expect_err("a flipped byte");
            assert!(error.offset <= at as u64, "{at}: {error}");
        }
    }
}

#[test]
fn every_truncation_is_an_error() {
    let file = sample();
    for len in (0..file.len()).step_by(if cfg!(miri) { 97 } else { 1 }) {
        let error = all(&file[..len]).expect_err("cut off");
        assert!(error.offset <= len as u64, "{len}: {error}");
    }
    let longer = [&file[..], &[0]].concat();
    assert_eq!(all(&longer).unwrap_err().flaw, Flaw::Trailing);
    let twice = [&file[..], &file[..]].concat();
    assert_eq!(all(&twice).unwrap_err().flaw, Flaw::Trailing);
}

#[test]
fn a_recording_that_was_not_finished_is_named() {
    #[derive(Clone, Default)]
    struct Shared(std::rc::Rc<std::cell::RefCell<Vec<u8>>>);
    impl std::io::Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let file = Shared::default();
    let mut heap = Heap::builder().zeal(Zeal::none()).build();
    let recorder = Recorder::start(&mut heap, file.clone()).unwrap();
    heap.alloc(1);
    heap.collect(&());
    drop((recorder, heap));
    let error = check(&file.0.borrow()[..]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "at byte 20: the trace ends too early: its recorder was not finished, or the file was cut off"
    );
}

#[test]
fn other_formats_are_named() {
    let file = sample();
    let of_version = |version: u16| {
        let mut other = file.clone();
        other[16..18].copy_from_slice(&version.to_le_bytes());
        Reader::new(&other[..]).unwrap_err()
    };
    let newer = "at byte 0: this trace has the format 3, and this program reads up to 2; use a newer one";
    assert_eq!(of_version(3).to_string(), newer);
    assert!(matches!(of_version(0).flaw, Flaw::Older { version: 0, understood: 1 }));
    assert_eq!(Reader::new(&b"{\"snapshot\":"[..]).unwrap_err().flaw, Flaw::NotATrace);
}

#[test]
fn a_reader_that_fails_is_an_error() {
    struct Failing<'f>(&'f [u8]);
    impl std::io::Read for Failing<'_> {
        fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
            if self.0.is_empty() {
                return Err(std::io::Error::other("the disk is gone"));
            }
            std::io::Read::read(&mut self.0, &mut bytes[..1])
        }
    }
    let file = sample();
    let error = check(Failing(&file[..file.len() / 2])).unwrap_err();
    assert_eq!(error.flaw, Flaw::Read { message: "the disk is gone".into() });
}
