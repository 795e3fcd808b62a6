//! Values of every size and alignment are where their type wants them, hold what was put there, and survive
//! collections: nothing at all, one byte, over-aligned things, slices of every length, text, and a gigabyte.

use std::fmt::Debug;
use tumulus_heap::{AllocErrorKind, Gc, Heap, Trace, Tracer};
use tumulus_tests::{Ledger, expect_error, expect_sound, scaled};

macro_rules! aligned {
    ($($name:ident $align:literal),* $(,)?) => {$(
        #[derive(Copy, Clone, Debug, PartialEq, Trace)]
        #[repr(align($align))]
        struct $name<const N: usize>([u8; N]);
    )*};
}

aligned! {
    A1 1, A2 2, A4 4, A8 8, A16 16, A32 32, A64 64, A128 128, A256 256, A512 512, A1024 1024, A2048 2048, A4096 4096,
}

/// Puts values into the heap one by one and as slices, and checks each address, before and after collections.
fn check<T: Trace + Copy + Debug + PartialEq + 'static>(make: impl Fn(u8) -> T) {
    const COUNT: u8 = scaled(40, 10) as u8;
    let mut heap = Heap::new();
    let aligned = |value: &T| std::ptr::from_ref(value).addr().is_multiple_of(align_of::<T>());
    let single: Vec<Gc<T>> = (0..COUNT).map(|n| heap.alloc(make(n))).collect();
    let lens = [0, 1, 2, 3, 7, 40];
    let slices: Vec<Gc<[T]>> = lens.iter().map(|&len| heap.alloc_slice_with(len, |at| make(at as u8))).collect();
    for round in 0..scaled(3, 2) {
        for (n, &gc) in single.iter().enumerate().filter(|(n, _)| round == 0 || n % 2 == 0) {
            assert!(aligned(&heap[gc]) && heap[gc] == make(n as u8));
            assert!(aligned(heap.get_mut(gc)));
        }
        for (&len, &gc) in lens.iter().zip(&slices) {
            let slice = &heap[gc];
            assert_eq!(slice.len(), len);
            assert!(slice.as_ptr().addr().is_multiple_of(align_of::<T>()));
            assert!(slice.iter().enumerate().all(|(at, element)| *element == make(at as u8)));
        }
        expect_sound(&heap);
        let kept: Vec<Gc<T>> = single.iter().copied().step_by(2).collect();
        heap.collect(&(kept, &slices));
        assert_eq!(heap.statistics().live_objects, u64::from(COUNT) / 2 + 6);
        // What takes the cells of the dead is as well aligned.
        for n in 0..COUNT / 2 {
            let gc = heap.alloc(make(n));
            assert!(aligned(&heap[gc]) && heap[gc] == make(n));
        }
    }
    heap.collect(&());
    assert_eq!((heap.statistics().used_bytes, heap.statistics().block_bytes), (0, 0));
}

#[test]
fn every_alignment() {
    macro_rules! check_aligned {
        ($($name:ident)*) => {$(
            check(|n| $name([n; 0]));
            check(|n| $name([n; 1]));
            check(|n| $name([n; 24]));
            check(|n| $name([n; 300]));
            check(|n| $name([n; 5_000]));
        )*};
    }
    check_aligned! { A1 A64 A4096 }
    #[cfg(not(miri))]
    check_aligned! { A2 A4 A8 A16 A32 A128 A256 A512 A1024 A2048 }
    assert_eq!((align_of::<A4096<0>>(), align_of::<A1<9>>()), (4096, 1));
}

#[test]
fn every_size_around_each_border() {
    macro_rules! check_sizes {
        ($($size:literal)*) => {$( check(|n| [n; $size]); )*};
    }
    check_sizes! { 1 8 9 2040 2041 }
    #[cfg(not(miri))]
    check_sizes! {
        24 25 1016 1017 4096 2 7 15 16 17 23 39 40 41 55 56 57 63 64 65 119 120 121 127 128 129 247 248 249 255 256 257 503 504 505
        1015 1023 1024 1025 2031 2032 2033 2039 2047 2048 2049 4095 16376 16384 16385 65536
    }
}

#[test]
fn numbers_of_every_width() {
    check(|n| n);
    check(u16::from);
    check(u32::from);
    check(u64::from);
    check(u128::from);
    check(|n| f64::from(n) / 3.0);
    check(char::from);
    check(|n| n % 2 == 0);
    check(|n| (n, u128::from(n), Some(n)));
}

#[test]
fn things_without_a_size_have_an_identity_and_are_dropped() {
    const COUNT: usize = scaled(1_000, 100);
    let mut heap = Heap::new();
    let units: Vec<Gc<()>> = (0..COUNT).map(|_| heap.alloc(())).collect();
    let distinct: std::collections::HashSet<Gc<()>> = units.iter().copied().collect();
    assert_eq!(distinct.len(), COUNT);
    heap.collect(&units[..10]);
    assert!(units[..10].iter().all(|&gc| heap.contains(gc)) && !heap.contains(units[10]));
    let [(), ()] = heap.get_disjoint_mut([units[0], units[1]]);

    thread_local! {
        static DROPS: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
    }
    #[derive(Trace)]
    struct Nothing;
    impl Drop for Nothing {
        fn drop(&mut self) {
            DROPS.set(DROPS.get() + 1);
        }
    }
    heap.alloc(Nothing);
    let kept = heap.alloc(Nothing);
    heap.alloc_slice_with(100, |_| Nothing);
    heap.alloc_slice_with(0, |_| Nothing);
    heap.collect(&kept);
    assert_eq!(DROPS.get(), 101);
    drop(heap);
    assert_eq!(DROPS.get(), 102);
}

#[test]
fn alignments_beyond_all_reason() {
    #[derive(Trace)]
    #[repr(align(0x10_0000))]
    struct Nothing;
    #[derive(Trace)]
    #[repr(align(0x10_0000))]
    struct Number(u64);
    fn is_aligned<T>(object: &T) -> bool {
        std::ptr::from_ref(object).addr().is_multiple_of(1 << 20)
    }
    let work = || {
        let mut heap = Heap::new();
        let (one, other) = (heap.alloc(Nothing), heap.alloc(Nothing));
        let many = heap.alloc_slice_with(100, |_| Nothing);
        let [a, b] = heap.get_disjoint_mut([one, other]);
        assert!(is_aligned(a) && is_aligned(b) && heap[many].iter().all(is_aligned));
        assert_eq!((heap[many].len(), heap.statistics().block_bytes), (100, 0));
        let numbers: Vec<Gc<Number>> = (0..3).map(|n| heap.alloc_with(|| Number(n))).collect();
        heap.collect(&(one, many, &numbers[1..]));
        assert!(heap.contains(one) && !heap.contains(other) && !heap.contains(numbers[0]));
        assert!((1..3).all(|n| is_aligned(&heap[numbers[n]]) && heap[numbers[n]].0 == n as u64));
        assert_eq!(heap.statistics().block_bytes, 2 << 20);
        expect_sound(&heap);
    };
    // A local variable of such a type takes a lot of stack.
    std::thread::Builder::new().stack_size(256 << 20).spawn(work).unwrap().join().unwrap();
}

#[test]
fn slices_of_nothing_can_be_long() {
    let mut heap = Heap::new();
    let len = scaled(if cfg!(debug_assertions) { 3_000_000 } else { u32::MAX as usize + 10 }, 1_000);
    let long = heap.alloc_slice_with(len, |_| ());
    let used = heap.statistics().used_bytes;
    assert!(used < 100, "{used} bytes for nothing");
    heap.collect(&long);
    assert_eq!(heap[long].len(), len);
    assert_eq!(heap.get_mut(long).len(), len);
    expect_sound(&heap);
    heap.collect(&());
    assert!(!heap.contains(long));
}

#[test]
fn slices_without_elements() {
    let ledger = Ledger::new();
    let mut heap = Heap::new();
    let numbers = heap.alloc_slice::<u64>(&[]);
    let tokens = heap.alloc_slice_with(0, |_| ledger.token());
    let handles = heap.alloc_slice::<Gc<u8>>(&[]);
    let text = heap.alloc_str("");
    heap.collect(&(numbers, tokens, handles, text));
    assert!(heap[numbers].is_empty() && heap[tokens].is_empty() && heap[handles].is_empty() && heap[text].is_empty());
    assert_eq!(ledger.made(), 0);
    let error = expect_error(numbers.erase().downcast::<[u32]>(&heap)).to_string();
    assert!(error.contains("[u64]") && error.contains("[u32]"), "{error}");
    expect_sound(&heap);
}

#[test]
fn slices_of_every_length_around_the_largest_cell() {
    let mut heap = Heap::new();
    let lens = || (0..1_100).step_by(scaled(1, 61));
    let slices: Vec<Gc<[u16]>> = lens().map(|len| heap.alloc_slice_with(len, |at| (at ^ len) as u16)).collect();
    let kept: Vec<Gc<[u16]>> = slices.iter().copied().step_by(3).collect();
    heap.collect(&kept);
    for (n, (len, &gc)) in lens().zip(&slices).enumerate() {
        if n % 3 == 0 {
            assert!(heap[gc].iter().enumerate().all(|(at, &element)| element == (at ^ len) as u16));
            assert_eq!(heap[gc].len(), len);
        } else {
            assert!(!heap.contains(gc));
        }
    }
    expect_sound(&heap);
}

#[test]
fn text_of_many_bytes_to_a_character() {
    let pieces = ["", "a", "grün", "墳丘墓", "👩‍🚀", "\0", "i\u{307}"];
    let mut heap = Heap::new();
    let mut texts = Vec::new();
    for repeat in [1, 2, 10, 300, 5_000] {
        for piece in pieces {
            let text = piece.repeat(repeat);
            texts.push((heap.alloc_str(&text), text));
        }
    }
    heap.collect(&texts.iter().map(|&(gc, _)| gc).collect::<Vec<Gc<str>>>());
    for (gc, text) in &texts {
        assert_eq!(&heap[*gc], text);
    }
    let gc = heap.alloc_str("tumulus, grün");
    heap.get_mut(gc).make_ascii_uppercase();
    assert_eq!(&heap[gc], "TUMULUS, GRüN");
    expect_sound(&heap);
}

#[test]
fn slices_of_handles_keep_what_they_hold() {
    for len in [1_usize, 10, 100, 1_000, 50_000].into_iter().take(scaled(5, 3)) {
        let mut heap = Heap::new();
        let slice = heap.alloc_slice_with(len, |_| None::<Gc<usize>>);
        for at in 0..len {
            let number = heap.alloc(at);
            heap[slice][at] = Some(number);
        }
        heap.collect(&slice);
        assert_eq!(heap.statistics().live_objects, 1 + len as u64);
        assert!((0..len).all(|at| heap[heap[slice][at].unwrap()] == at));
        heap.get_mut(slice)[len / 2] = None;
        heap.collect(&slice);
        assert_eq!(heap.statistics().live_objects, len as u64);
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes hours")]
fn objects_of_some_mebibytes() {
    let mut heap = Heap::new();
    let large: Vec<Gc<[[u64; 1_000]]>> =
        (1..6).map(|n| heap.alloc_slice_with(n * 100, |at| [(n * at) as u64; 1_000])).collect();
    heap.collect(&large);
    assert_eq!(heap.statistics().block_bytes, 15 * 100 * 8_000);
    for (n, &gc) in (1..6).zip(&large) {
        assert!(heap[gc].iter().enumerate().all(|(at, part)| part.iter().all(|&word| word == (n * at) as u64)));
    }
    heap.collect(&large[4]);
    assert_eq!(heap.statistics().block_bytes, 5 * 100 * 8_000);
    expect_sound(&heap);
}

#[test]
#[cfg_attr(miri, ignore = "takes days")]
fn one_object_of_a_gibibyte() {
    #[derive(Copy, Clone)]
    struct Part([u8; 64 << 10]);
    impl Trace for Part {
        const HAS_EDGES: bool = false;
        fn trace(&self, _tracer: &mut Tracer<'_>) {}
    }
    let mut heap = Heap::new();
    let parts = (1 << 30) / size_of::<Part>();
    match heap.try_alloc_slice_with(parts, |at| Part([at as u8; 64 << 10])) {
        Ok(gc) => {
            heap.collect(&gc);
            assert_eq!(size_of_val(&heap[gc]), 1 << 30);
            assert!(heap[gc].iter().enumerate().all(|(at, part)| part.0[at] == at as u8));
            assert_eq!(heap.statistics().block_bytes, 1 << 30);
        }
        // A small machine may say no, and then it does so in this way.
        Err(error) => assert_eq!((error.kind, error.requested), (AllocErrorKind::System, 1 << 30)),
    }
    heap.collect(&());
    assert_eq!(heap.statistics().block_bytes, 0);
}

#[test]
fn sizes_beyond_all_bounds_are_refused() {
    let mut heap = Heap::new();
    for len in [usize::MAX, usize::MAX / 8, isize::MAX as usize / 8 + 1] {
        assert_eq!(expect_error(heap.try_alloc_slice_with(len, |_| 0_u64)).kind, AllocErrorKind::TooLarge);
    }
    assert_eq!(heap.statistics().used_bytes, 0);
}

#[test]
fn an_object_does_not_move() {
    const COUNT: usize = scaled(1_000, 60);
    let mut heap = Heap::new();
    let kept: Vec<Gc<[u64; 3]>> = (0..COUNT as u64).map(|n| heap.alloc([n; 3])).collect();
    let address = |heap: &Heap, gc: Gc<[u64; 3]>| std::ptr::from_ref(&heap[gc]).addr();
    let before: Vec<usize> = kept.iter().map(|&gc| address(&heap, gc)).collect();
    let hashes: Vec<u64> = kept.iter().map(|gc| gc.identity_hash()).collect();
    for n in 0..10 {
        (0..COUNT as u64).for_each(|n| assert_eq!(heap.alloc([n; 3]).erase().type_name(&heap), Some("[u64; 3]")));
        if n % 2 == 0 {
            heap.collect(&kept);
        } else {
            heap.collect_minor(&kept);
        }
        assert!(kept.iter().zip(&before).all(|(&gc, &before)| address(&heap, gc) == before));
    }
    assert!(kept.iter().zip(&hashes).all(|(gc, &hash)| gc.identity_hash() == hash));
    let distinct: std::collections::HashSet<u64> = hashes.into_iter().collect();
    assert_eq!(distinct.len(), COUNT);
}
