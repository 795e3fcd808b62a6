//! Who releases what dead buffers leave: the releaser's thread, or the collection; and all of it before the process ends.
//!
//! The mode is that of the whole process, so that this file has one test for all of it, and one in a process of its own.

use std::sync::mpsc::{Sender, channel};
use std::thread::{self, ThreadId};
use std::time::Duration;
use tumulus_arraybuffer::release::{self, Mode};
use tumulus_arraybuffer::{ArrayBuffer, BackingStore, registry};
use tumulus_heap::Heap;
use tumulus_tests::{Process, calm_heap};

/// A dead buffer whose deleter tells on which thread it runs.
fn bury(heap: &mut Heap, tell: &Sender<ThreadId>) -> u64 {
    let data = Box::into_raw(Box::new([0_u8; 10]));
    let free = |data: *mut u8, _: usize, tell: Sender<ThreadId>| {
        // SAFETY: the box above.
        drop(unsafe { Box::from_raw(data.cast::<[u8; 10]>()) });
        tell.send(thread::current().id()).unwrap();
    };
    // SAFETY: the box was taken apart, and is put together again by the deleter.
    let store = unsafe { BackingStore::from_raw(data.cast(), 10, free, tell.clone()) }.unwrap();
    let id = store.id();
    ArrayBuffer::from_store(heap, store).unwrap();
    heap.collect(&());
    id
}

#[test]
fn the_releaser_or_the_collection() {
    let (tell, told) = channel();
    let mut heap = calm_heap();
    let here = thread::current().id();

    release::set_mode(Mode::Background);
    for _ in 0..3 {
        bury(&mut heap, &tell);
        // Nobody has to ask for it.
        assert_ne!(told.recv_timeout(Duration::from_secs(20)).unwrap(), here);
    }
    for _ in 0..50 {
        bury(&mut heap, &tell);
    }
    release::flush();
    assert_eq!(told.try_iter().count(), 50);
    assert!(release::statistics().is_running && release::statistics().rounds > 0);

    release::join();
    assert!(!release::statistics().is_running);
    bury(&mut heap, &tell);
    assert_ne!(told.recv_timeout(Duration::from_secs(20)).unwrap(), here, "it is started again");

    release::set_mode(Mode::Inline);
    let id = bury(&mut heap, &tell);
    assert_eq!(told.try_recv().unwrap(), here);
    assert!(registry::entries().iter().all(|entry| entry.id != id));
    assert_eq!(heap.statistics().external_bytes, 0);
    release::join();
}

#[test]
#[cfg(all(unix, not(miri)))]
fn everything_is_released_before_the_process_ends() {
    let file = |process: u32| std::env::temp_dir().join(format!("tumulus-buffer-release-{process}"));
    let test = "everything_is_released_before_the_process_ends";
    Process::for_test(test).run(|| {
        let mut heap = calm_heap();
        let path = file(std::os::unix::process::parent_id());
        let free = move |_: *mut u8, _: usize, (): ()| {
            thread::sleep(Duration::from_millis(100));
            std::fs::write(path, "released").unwrap();
        };
        let bytes = Box::leak(Box::new([0_u8; 10])).as_mut_ptr();
        // SAFETY: the bytes are there for ever.
        let store = unsafe { BackingStore::from_raw(bytes, 10, free, ()) }.unwrap();
        ArrayBuffer::from_store(&mut heap, store).unwrap();
    });
    let path = file(std::process::id());
    if std::env::var_os("TUMULUS_TESTS_PROCESS").is_none() {
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "released");
        std::fs::remove_file(path).unwrap();
    }
}
