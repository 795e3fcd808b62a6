//! A handle of another heap is an error that says so, wherever its index points to: at a cell of the same size, at one
//! of another size, at memory that was never used, beyond the end. It never leads to an object of this heap, and an
//! object's bytes never pass for a header, whatever they are: the last test here fills the heaps with what the headers
//! of other objects look like, and then tries every handle on every heap.

use proptest::prelude::*;
use std::fmt::Debug;
use tumulus_heap::{AnyGc, Gc, HandleError, Heap, Object, Zeal};
use tumulus_tests::{calm_heap, cases, expect_error, expect_sound, panic_words, place, scaled};

#[track_caller]
fn expect_foreign<T: Object + ?Sized + Debug>(heap: &mut Heap, gc: Gc<T>) {
    let foreign = |error: &HandleError| {
        assert!(
            matches!(error, HandleError::OtherHeap { type_name, .. } if *type_name == std::any::type_name::<T>()),
            "{error:?}"
        );
    };
    foreign(&expect_error(heap.try_get(gc)));
    foreign(&expect_error(heap.try_get_mut(gc)));
    foreign(&expect_error(heap.try_get_disjoint_mut([gc])));
    foreign(&expect_error(gc.erase().downcast::<T>(heap)));
    assert!(!heap.contains(gc) && gc.erase().type_name(heap).is_none());
    assert!(heap.try_root(gc).is_err());
}

#[test]
fn an_index_in_range_where_an_object_of_the_same_type_lives() {
    const COUNT: usize = scaled(3_000, 12);
    let (mut here, mut there) = (Heap::new(), Heap::new());
    let ours: Vec<Gc<u64>> = (0..COUNT as u64).map(|n| here.alloc(n)).collect();
    let theirs: Vec<Gc<u64>> = (0..COUNT as u64).map(|n| there.alloc(n + 1_000_000)).collect();
    let shared = ours.iter().filter(|&&gc| theirs.iter().any(|&other| place(gc).0 == place(other).0)).count();
    assert!(shared > 0, "the heaps share no index, so that this test shows nothing");
    for (&our, &their) in ours.iter().zip(&theirs) {
        assert!(here.try_get(their).is_err() && there.try_get(our).is_err());
    }
    expect_foreign(&mut here, theirs[0]);
    expect_foreign(&mut there, ours[COUNT - 1]);
    for n in 0..COUNT {
        assert_eq!((here[ours[n]], there[theirs[n]]), (n as u64, n as u64 + 1_000_000));
    }
    let words = panic_words(|| here[theirs[7]]);
    assert!(words.starts_with("this handle to a u64 belongs to another heap"), "{words}");
    assert_eq!(panic_words(|| *here.get_mut(theirs[7])), words);
}

#[test]
fn an_index_beyond_all_that_this_heap_has_used() {
    let (mut here, mut there) = (Heap::new(), calm_heap());
    let ours = here.alloc(1_u64);
    let theirs: Vec<Gc<u64>> = (0..scaled(200_000, 3_000) as u64).map(|n| there.alloc(n)).collect();
    for &gc in theirs.iter().step_by(997).chain(theirs.last()) {
        expect_foreign(&mut here, gc);
    }
    expect_foreign(&mut there, ours);
    expect_foreign(&mut Heap::new(), theirs[0]);
}

#[test]
fn an_index_where_this_heap_has_cells_of_another_size() {
    // Each heap begins with another size, so that what they fill first are the first pages.
    let (mut small, mut large) = (Heap::new(), Heap::new());
    let larges: Vec<Gc<[u64; 200]>> = (0..scaled(100, 12) as u64).map(|n| large.alloc([n; 200])).collect();
    let smalls: Vec<Gc<u64>> = (0..scaled(5_000, 1_100) as u64).map(|n| small.alloc(n)).collect();
    let middles: Vec<Gc<[u64; 5]>> = (0..scaled(1_000, 100) as u64).map(|n| small.alloc([n; 5])).collect();
    let slices: Vec<Gc<[u32]>> = (1..scaled(200, 30)).map(|n| small.alloc_slice_with(n, |_| n as u32)).collect();
    for &gc in &smalls {
        assert!(large.try_get(gc).is_err());
    }
    for &gc in &middles {
        assert!(large.try_get(gc).is_err());
    }
    for &gc in &slices {
        assert!(large.try_get(gc).is_err());
    }
    for &gc in &larges {
        assert!(small.try_get(gc).is_err());
    }
    expect_foreign(&mut large, smalls[1]);
    expect_foreign(&mut large, middles[1]);
    expect_foreign(&mut large, slices[slices.len() / 2]);
    expect_foreign(&mut small, larges[larges.len() - 1]);
    assert!(larges.iter().enumerate().all(|(n, &gc)| large[gc] == [n as u64; 200]));
}

#[test]
fn handles_of_a_heap_that_is_gone() {
    let (number, text, large) = {
        let mut gone = Heap::new();
        (gone.alloc(1_u64), gone.alloc_str("gone"), gone.alloc_with(|| [1_u8; 10_000]))
    };
    let mut heap = Heap::new();
    expect_foreign(&mut heap, number);
    for n in 0..scaled(100, 3) {
        heap.alloc(n);
        heap.alloc_str("here");
        heap.alloc_with(|| [2_u8; 10_000]);
    }
    expect_foreign(&mut heap, number);
    expect_foreign(&mut heap, text);
    expect_foreign(&mut heap, large);
}

#[test]
fn handles_that_travel_between_threads() {
    let theirs = std::thread::spawn(|| {
        let mut heap = Heap::new();
        (0..100).map(|n| heap.alloc(n)).collect::<Vec<Gc<u64>>>()
    });
    let theirs = theirs.join().unwrap();
    let mut heap = Heap::new();
    let ours: Vec<Gc<u64>> = (0..100).map(|n| heap.alloc(n + 500)).collect();
    for &gc in &theirs {
        expect_foreign(&mut heap, gc);
    }
    // There and back again.
    let ours = std::thread::spawn(move || ours.into_iter().rev().collect::<Vec<_>>()).join().unwrap();
    for (gc, n) in ours.into_iter().zip((500..600).rev()) {
        assert_eq!(heap[gc], n);
    }
}

#[test]
fn a_foreign_handle_in_an_object_keeps_nothing_of_the_other_heap_alive() {
    let (mut here, mut there) = (calm_heap(), calm_heap());
    let theirs = there.alloc(5_u64);
    let holder = here.alloc(Some(theirs));
    here.collect(&holder);
    assert_eq!(here[holder], Some(theirs));
    there.collect(&());
    assert!(!there.contains(theirs));
}

/// A handle with what its object holds.
#[derive(Copy, Clone, Debug)]
enum Kind {
    Words1(Gc<[u32; 1]>),
    Words2(Gc<[u32; 2]>),
    Words3(Gc<[u32; 3]>),
    Words6(Gc<[u32; 6]>),
    Words11(Gc<[u32; 11]>),
    Words31(Gc<[u32; 31]>),
    Words63(Gc<[u32; 63]>),
    Words200(Gc<[u32; 200]>),
    Words510(Gc<[u32; 510]>),
    Words3000(Gc<[u32; 3000]>),
    Byte(Gc<u8>),
    Slice(Gc<[u32]>),
    Text(Gc<str>),
}

/// Does the same with each kind of handle.
macro_rules! with_handle {
    ($kind:expr, $gc:ident => $body:expr) => {
        match $kind {
            Kind::Words1($gc) => $body,
            Kind::Words2($gc) => $body,
            Kind::Words3($gc) => $body,
            Kind::Words6($gc) => $body,
            Kind::Words11($gc) => $body,
            Kind::Words31($gc) => $body,
            Kind::Words63($gc) => $body,
            Kind::Words200($gc) => $body,
            Kind::Words510($gc) => $body,
            Kind::Words3000($gc) => $body,
            Kind::Byte($gc) => $body,
            Kind::Slice($gc) => $body,
            Kind::Text($gc) => $body,
        }
    };
}

impl Kind {
    fn any(self) -> AnyGc {
        with_handle!(self, gc => gc.erase())
    }

    /// Makes an object all of whose words are `word`.
    fn make(heap: &mut Heap, kind: u8, len: u16, word: u32) -> Kind {
        match kind % 13 {
            0 => Kind::Words1(heap.alloc([word; 1])),
            1 => Kind::Words2(heap.alloc([word; 2])),
            2 => Kind::Words3(heap.alloc([word; 3])),
            3 => Kind::Words6(heap.alloc([word; 6])),
            4 => Kind::Words11(heap.alloc([word; 11])),
            5 => Kind::Words31(heap.alloc([word; 31])),
            6 => Kind::Words63(heap.alloc([word; 63])),
            7 => Kind::Words200(heap.alloc([word; 200])),
            8 => Kind::Words510(heap.alloc([word; 510])),
            9 => Kind::Words3000(heap.alloc_with(|| [word; 3000])),
            10 => Kind::Byte(heap.alloc(word as u8)),
            11 => Kind::Slice(heap.alloc_slice_with(usize::from(len) % 700, |_| word)),
            _ => Kind::Text(heap.alloc_str(&text_of(word).repeat(usize::from(len) % 700))),
        }
    }

    /// Whether the object is there, by each way to get at it. Panics if they differ, or if what is there is wrong.
    fn try_on(self, heap: &mut Heap, word: u32) -> bool {
        let there = heap.contains(self.any());
        match self {
            Kind::Text(gc) => {
                let text = text_of(word);
                let right = |found: &str| found.as_bytes().chunks(4).all(|chunk| chunk == text.as_bytes());
                assert_eq!(heap.try_get(gc).is_ok_and(right), there);
                assert_eq!(heap.try_get_mut(gc).is_ok_and(|found| right(found)), there);
                assert_eq!(heap.try_get_disjoint_mut([gc]).is_ok_and(|[found]| right(found)), there);
                assert_eq!(gc.erase().downcast::<str>(heap).is_ok_and(|same| same == gc), there);
            }
            Kind::Byte(gc) => {
                assert_eq!(heap.try_get(gc).is_ok_and(|&found| found == word as u8), there);
                assert_eq!(heap.try_get_mut(gc).is_ok_and(|&mut found| found == word as u8), there);
                assert_eq!(heap.try_get_disjoint_mut([gc]).is_ok_and(|[&mut found]| found == word as u8), there);
                assert_eq!(gc.erase().downcast::<u8>(heap).is_ok_and(|same| same == gc), there);
            }
            Kind::Slice(gc) => try_words(heap, gc, word, there),
            Kind::Words1(gc) => try_words(heap, gc, word, there),
            Kind::Words2(gc) => try_words(heap, gc, word, there),
            Kind::Words3(gc) => try_words(heap, gc, word, there),
            Kind::Words6(gc) => try_words(heap, gc, word, there),
            Kind::Words11(gc) => try_words(heap, gc, word, there),
            Kind::Words31(gc) => try_words(heap, gc, word, there),
            Kind::Words63(gc) => try_words(heap, gc, word, there),
            Kind::Words200(gc) => try_words(heap, gc, word, there),
            Kind::Words510(gc) => try_words(heap, gc, word, there),
            Kind::Words3000(gc) => try_words(heap, gc, word, there),
        }
        let types = [
            self.any().is::<[u32; 2]>(heap),
            self.any().is::<[u32; 510]>(heap),
            self.any().is::<[u32; 3000]>(heap),
            self.any().is::<u8>(heap),
            self.any().is::<[u32]>(heap),
            self.any().is::<str>(heap),
        ];
        let expected = [
            matches!(self, Kind::Words2(_)),
            matches!(self, Kind::Words510(_)),
            matches!(self, Kind::Words3000(_)),
            matches!(self, Kind::Byte(_)),
            matches!(self, Kind::Slice(_)),
            matches!(self, Kind::Text(_)),
        ];
        assert_eq!(types, expected.map(|expected| expected && there));
        there
    }
}

fn try_words<T>(heap: &mut Heap, gc: Gc<T>, word: u32, there: bool)
where
    T: Object + AsRef<[u32]> + ?Sized,
{
    let right = |found: &T| found.as_ref().iter().all(|&found| found == word);
    assert_eq!(heap.try_get(gc).is_ok_and(right), there);
    assert_eq!(heap.try_get_mut(gc).is_ok_and(|found| right(found)), there);
    assert_eq!(heap.try_get_disjoint_mut([gc]).is_ok_and(|[found]| right(found)), there);
    assert_eq!(gc.erase().downcast::<T>(heap).is_ok_and(|same| same == gc), there);
}

/// Four bytes that are text and look like a stamp, where the stamp allows it.
fn text_of(word: u32) -> String {
    word.to_ne_bytes().map(|byte| char::from(byte & 0x7f)).iter().collect()
}

#[derive(Clone, Debug)]
enum Step {
    /// Drops the heap and makes a new one.
    Remake { heap: usize },
    /// Makes objects that are full of the stamp or the index of another one.
    Alloc { heap: usize, kind: u8, len: u16, count: u8, like: prop::sample::Index, shift: i8 },
    /// Collects, and keeps of the heap's objects those whose number has a bit set.
    Collect { heap: usize, keep: u64, minor: bool },
}

const HEAPS: usize = 3;

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => (0..HEAPS).prop_map(|heap| Step::Remake { heap }),
        12 => (0..HEAPS, any::<u8>(), any::<u16>(), 1..12_u8, any::<prop::sample::Index>(), -1..2_i8)
            .prop_map(|(heap, kind, len, count, like, shift)| Step::Alloc { heap, kind, len, count, like, shift }),
        4 => (0..HEAPS, any::<u64>(), any::<bool>()).prop_map(|(heap, keep, minor)| Step::Collect { heap, keep, minor }),
    ]
}

struct Made {
    kind: Kind,
    word: u32,
    /// The heap, by the number that no other heap has.
    heap: usize,
    alive: bool,
    old: bool,
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn no_handle_leads_to_another_object_whatever_the_objects_hold(
        steps in prop::collection::vec(step(), 1..scaled(60, 8)),
        retention in prop_oneof![Just(0_usize), Just(1 << 20)],
    ) {
        let new_heap = || Heap::builder().zeal(Zeal::none()).page_retention(retention).build();
        let mut heaps: Vec<(usize, Heap)> = (0..HEAPS).map(|number| (number, new_heap())).collect();
        let mut next_number = HEAPS;
        let mut made: Vec<Made> = Vec::new();
        for step in steps {
            match step {
                Step::Remake { heap } => {
                    let gone = heaps[heap].0;
                    made.iter_mut().filter(|made| made.heap == gone).for_each(|made| made.alive = false);
                    heaps[heap] = (next_number, new_heap());
                    next_number += 1;
                }
                Step::Alloc { heap, kind, len, count, like, shift } => {
                    let word = match made.len() {
                        0 => 1,
                        count => {
                            let (index, stamp) = place(made[like.index(count)].kind.any());
                            if kind.is_multiple_of(7) { index } else { stamp.wrapping_add_signed(i32::from(shift)) }
                        }
                    };
                    let (number, heap) = &mut heaps[heap];
                    for _ in 0..count {
                        let kind = Kind::make(heap, kind, len, word);
                        made.push(Made { kind, word, heap: *number, alive: true, old: false });
                    }
                }
                Step::Collect { heap, keep, minor } => {
                    let (number, heap) = &mut heaps[heap];
                    let ours = made.iter_mut().filter(|made| made.heap == *number && made.alive);
                    let mut kept: Vec<AnyGc> = Vec::new();
                    for (n, made) in ours.enumerate() {
                        if keep >> (n % 64) & 1 == 1 {
                            kept.push(made.kind.any());
                        } else if !(minor && made.old) {
                            made.alive = false;
                        }
                        made.old = true;
                    }
                    if minor {
                        heap.collect_minor(&kept);
                    } else {
                        heap.collect(&kept);
                    }
                }
            }
            for (number, heap) in &mut heaps {
                for made in &made {
                    let expected = made.alive && made.heap == *number;
                    prop_assert_eq!(made.kind.try_on(heap, made.word), expected, "{:?}", made.kind);
                }
            }
        }
        for (_, heap) in &heaps { expect_sound(heap); }
    }
}
