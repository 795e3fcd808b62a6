//! Maps whose values live as long as their keys: in whatever shape and order, in full collections, minor ones, and slices.

use std::time::Instant;
use tumulus_heap::{
    AnyGc, Budget, Collector, EphemeronMap, Gc, Heap, HeapBuilder, Progress, Trace, Tracer, WeakSet, Zeal,
};
use tumulus_tests::{Ledger, Token, calm_heap, catch, expect_sound, panic_words, scaled};

type Map = EphemeronMap<AnyGc, Value>;

#[derive(Trace)]
struct Value {
    token: Token,
    edge: Option<AnyGc>,
}

/// A heap with these options whatever the environment says, that checks itself.
fn checked() -> HeapBuilder {
    Heap::builder().nursery(1 << 20).pause_budget(Budget::work(12_000)).zeal(Zeal {
        recheck: true,
        verify: true,
        ..Zeal::none()
    })
}

fn map(heap: &mut Heap) -> Gc<Map> {
    heap.alloc(Map::new())
}

fn key(heap: &mut Heap) -> AnyGc {
    heap.alloc([1_u8; 20]).erase()
}

fn insert(heap: &mut Heap, ledger: &Ledger, map: Gc<Map>, key: AnyGc, edge: Option<AnyGc>) {
    let token = ledger.token();
    map.insert(heap, key, Value { token, edge });
}

/// A chain of so many keys, each the value of the one before, with the maps of `maps` in turns. The first key is the result.
fn chain(heap: &mut Heap, ledger: &Ledger, maps: &[Gc<Map>], len: usize, reversed: bool) -> AnyGc {
    let keys: Vec<AnyGc> = (0..=len).map(|_| key(heap)).collect();
    for step in 0..len {
        let at = if reversed { len - 1 - step } else { step };
        insert(heap, ledger, maps[at % maps.len()], keys[at], Some(keys[at + 1]));
    }
    keys[0]
}

fn slices<R: Trace + ?Sized>(heap: &mut Heap, roots: &R, units: u64, mut between: impl FnMut(&mut Heap, usize)) {
    let mut slices = 0;
    while heap.step(roots, Budget::work(units)) == Progress::Pending {
        slices += 1;
        between(heap, slices);
    }
}

#[test]
fn a_key_that_only_its_own_value_reaches_is_dead() {
    for minor in [false, true] {
        let ledger = Ledger::new();
        let mut heap = checked().build();
        let map = map(&mut heap);
        let key = key(&mut heap);
        insert(&mut heap, &ledger, map, key, Some(key));
        if minor {
            heap.collect_minor(&map);
        } else {
            heap.collect(&map);
        }
        assert!(!heap.contains(key) && heap.contains(map));
        assert_eq!(map.iter(&heap).count(), 0);
        ledger.expect_all_dropped();
    }
}

#[test]
fn a_ring_through_several_maps_is_dead_and_a_chain_from_a_root_alive() {
    let ledger = Ledger::new();
    let mut heap = checked().build();
    let maps = [(); 3].map(|()| map(&mut heap));
    let keys = [(); 6].map(|()| key(&mut heap));
    for at in 0..6 {
        insert(&mut heap, &ledger, maps[at % 3], keys[at], Some(keys[(at + 1) % 6]));
    }
    let first = chain(&mut heap, &ledger, &maps, 50, true);
    heap.collect(&(maps.map(Gc::erase).to_vec(), first));
    assert!(keys.iter().all(|&key| !heap.contains(key)));
    assert_eq!(maps.map(|map| map.iter(&heap).count()).iter().sum::<usize>(), 50);
    ledger.expect_dropped(6);
    // Without one of the maps, the chain breaks at its first key there.
    heap.collect(&(maps[0], maps[1], first));
    assert_eq!(maps[0].iter(&heap).count() + maps[1].iter(&heap).count(), 2);
    ledger.expect_dropped(6 + 48);
}

#[test]
fn maps_can_be_their_own_keys_and_values_and_those_of_each_other() {
    let ledger = Ledger::new();
    let mut heap = checked().build();
    let (a, b) = (map(&mut heap), map(&mut heap));
    insert(&mut heap, &ledger, a, a.erase(), Some(b.erase()));
    insert(&mut heap, &ledger, b, b.erase(), Some(a.erase()));
    heap.collect(&a);
    assert!(heap.contains(a) && heap.contains(b));
    assert_eq!(b.get(&heap, b.erase()).unwrap().edge, Some(a.erase()));
    // A map that is the value of a key of its own, and nobody else's.
    let lost = map(&mut heap);
    insert(&mut heap, &ledger, lost, a.erase(), Some(lost.erase()));
    heap.collect(&a);
    assert!(!heap.contains(lost));
    heap.collect(&());
    ledger.expect_all_dropped();
}

#[test]
fn a_chain_of_100_000_in_reverse_order_takes_time_in_proportion() {
    const LEN: usize = scaled(100_000, 300);
    let mut times = Vec::new();
    for len in [LEN, 2 * LEN] {
        for maps in [1, 7] {
            let ledger = Ledger::new();
            let mut heap = calm_heap();
            let maps: Vec<Gc<Map>> = (0..maps).map(|_| map(&mut heap)).collect();
            let first = chain(&mut heap, &ledger, &maps, len, true);
            heap.collect(&(maps.clone(), first));
            let begin = Instant::now();
            heap.collect(&(maps.clone(), first));
            times.push(begin.elapsed());
            assert_eq!(maps.iter().map(|map| map.iter(&heap).count()).sum::<usize>(), len);
            heap.collect(&maps);
            ledger.expect_all_dropped();
        }
    }
    // Rounds over all entries would take four times as long, and some hours to begin with.
    assert!(times[2].as_secs_f64() < times[0].as_secs_f64() * 3.5 + 0.1, "{times:?}");
    assert!(times.iter().all(|time| time.as_secs() < 10), "{times:?}");
}

#[test]
fn a_chain_is_followed_in_slices_whatever_is_inserted_meanwhile() {
    for units in [1, 7, 100] {
        let ledger = Ledger::new();
        let mut heap = checked().build();
        let map = map(&mut heap);
        let first = chain(&mut heap, &ledger, &[map], 60, true);
        heap.collect(&(map, first));
        let mut last = first;
        let mut expected = 60;
        heap.start_major();
        slices(&mut heap, &(map, first), units, |heap, slice| {
            // A new end for a chain of its own, which begins at the same key's value.
            if slice % 3 == 0 && expected < 160 {
                let next = key(heap);
                if last == first {
                    map.get_mut(heap, first).unwrap().edge.replace(next).into_iter().for_each(|old| {
                        // What was behind it goes on from the new key.
                        insert(heap, &ledger, map, next, Some(old));
                    });
                } else {
                    let old = map.get_mut(heap, last).unwrap().edge.replace(next);
                    insert(heap, &ledger, map, next, old);
                }
                last = next;
                expected += 1;
            }
        });
        assert!(expected > 60);
        assert_eq!(map.iter(&heap).count(), expected);
        heap.collect(&(map, first));
        assert_eq!(map.iter(&heap).count(), expected);
        ledger.expect_dropped(0);
    }
}

#[test]
fn dead_entries_disappear_at_once_and_their_values_in_slices() {
    let ledger = Ledger::new();
    let mut heap = checked().build();
    let map = map(&mut heap);
    let keys: Vec<AnyGc> = (0..300).map(|_| key(&mut heap)).collect();
    for &key in &keys {
        insert(&mut heap, &ledger, map, key, None);
    }
    let kept: Vec<AnyGc> = keys.iter().copied().step_by(3).collect();
    heap.start_major();
    let mut dropped = vec![0];
    slices(&mut heap, &(map, kept.clone()), 20, |heap, _| {
        let shown = map.iter(heap).count();
        assert!(shown == 300 || shown == 100, "{shown}");
        assert_eq!(shown == 100, keys.iter().any(|&key| map.get(heap, key).is_none()));
        dropped.push(ledger.dropped());
    });
    dropped.dedup();
    assert!(dropped.len() > 20 && dropped.windows(2).all(|pair| pair[1] - pair[0] < 40), "{dropped:?}");
    ledger.expect_dropped(200);
    assert!(map.iter(&heap).map(|(key, _)| key).eq(kept));
}

#[test]
fn a_minor_collection_finds_what_was_inserted_into_an_old_map() {
    // Short maps are looked at as a whole, long ones by cards.
    for len in [5, 3000] {
        let ledger = Ledger::new();
        let mut heap = checked().build();
        let map = map(&mut heap);
        let old: Vec<AnyGc> = (0..len).map(|_| key(&mut heap)).collect();
        for &key in &old {
            insert(&mut heap, &ledger, map, key, None);
        }
        heap.collect(&(map, old.clone()));

        // An old key with a young value, a young key with one, and a young key that dies.
        let young = [(); 4].map(|()| key(&mut heap));
        map.get_mut(&mut heap, old[len / 2]).unwrap().edge = Some(young[0]);
        insert(&mut heap, &ledger, map, young[0], Some(young[1]));
        insert(&mut heap, &ledger, map, young[2], Some(young[3]));
        heap.collect_minor(&(map, old.clone()));
        assert_eq!(young.map(|key| heap.contains(key)), [true, true, false, false]);
        assert_eq!(map.iter(&heap).count(), len + 1);
        ledger.expect_dropped(1);
        expect_sound(&heap);
    }
}

#[test]
fn a_minor_collection_does_not_look_at_what_it_need_not() {
    let mut heap = calm_heap();
    let map = heap.alloc(EphemeronMap::<AnyGc, u32>::new());
    let keys: Vec<AnyGc> = (0..scaled(200_000, 5000)).map(|_| key(&mut heap)).collect();
    for (&key, n) in keys.iter().zip(0..) {
        map.insert(&mut heap, key, n);
    }
    let keys = heap.alloc_slice(&keys);
    heap.collect(&(map, keys));
    let work = std::rc::Rc::new(std::cell::Cell::new(0));
    let sink = std::rc::Rc::clone(&work);
    heap.on_event(move |event| {
        if let tumulus_heap::Event::Ended { work, .. } = event {
            sink.set(*work);
        }
    });
    let new = key(&mut heap);
    map.insert(&mut heap, new, 1);
    heap.collect_minor(&(map, keys, new));
    assert!(map.contains_key(&heap, new));
    assert!(work.get() < 2000, "{} units for one entry", work.get());
}

#[test]
fn entries_are_inserted_replaced_removed_and_shrunk() {
    let ledger = Ledger::new();
    let mut heap = checked().build();
    let map = map(&mut heap);
    let keys: Vec<AnyGc> = (0..1000).map(|_| key(&mut heap)).collect();
    for round in 0..3 {
        for &key in &keys {
            let token = ledger.token();
            let before = map.insert(&mut heap, key, Value { token, edge: None });
            assert_eq!(before.is_some(), round > 0);
        }
    }
    assert!(map.capacity(&heap) >= 1000 && map.capacity(&heap) <= 2048);
    for &key in &keys[10..] {
        assert!(map.remove(&mut heap, key).is_some());
        assert!(map.remove(&mut heap, key).is_none() && map.get(&heap, key).is_none());
    }
    map.shrink_to_fit(&mut heap).unwrap();
    assert_eq!((map.capacity(&heap), map.iter(&heap).count()), (16, 10));
    assert!(keys[..10].iter().all(|&key| map.contains_key(&heap, key)));
    map.clear(&mut heap);
    assert_eq!((map.capacity(&heap), map.iter(&heap).count()), (0, 0));
    heap.collect(&map);
    ledger.expect_all_dropped();
}

#[test]
fn a_map_whose_keys_come_and_go_does_not_grow() {
    let ledger = Ledger::new();
    let mut heap = checked().zeal(Zeal::none()).build();
    let map = map(&mut heap);
    for round in 0..scaled(300, 5) {
        let keys: Vec<AnyGc> = (0..100).map(|_| key(&mut heap)).collect();
        for &key in &keys {
            insert(&mut heap, &ledger, map, key, None);
        }
        if round % 2 == 0 {
            heap.collect_minor(&map);
        } else {
            heap.collect(&map);
        }
    }
    assert!(map.capacity(&heap) <= 512, "{}", map.capacity(&heap));
    ledger.expect_all_dropped();
}

#[test]
fn a_dead_key_is_no_key() {
    let ledger = Ledger::new();
    let mut heap = checked().build();
    let map = map(&mut heap);
    let gone = key(&mut heap);
    insert(&mut heap, &ledger, map, gone, None);
    heap.collect(&map);
    assert!(map.get(&heap, gone).is_none() && map.get_mut(&mut heap, gone).is_none());
    assert!(map.remove(&mut heap, gone).is_none());
    let words = panic_words(|| insert(&mut heap, &ledger, map, gone, None));
    assert!(words.contains("key"), "{words}");
    ledger.expect_all_dropped();
}

#[test]
fn a_map_that_cannot_grow_gives_the_value_back_and_is_as_it_was() {
    let mut heap = calm_heap();
    let map = heap.alloc(EphemeronMap::<AnyGc, String>::new());
    let keys: Vec<AnyGc> = (0..9).map(|_| key(&mut heap)).collect();
    for &key in &keys[..8] {
        map.insert(&mut heap, key, "fits".to_string());
    }
    heap.set_limit(0);
    let error = map.try_insert(&mut heap, keys[8], "does not".to_string()).unwrap_err();
    assert_eq!(error.into_value(), "does not");
    assert_eq!(map.iter(&heap).count(), 8);
    // What is there can be replaced.
    assert_eq!(map.try_insert(&mut heap, keys[0], "new".to_string()).unwrap().as_deref(), Some("fits"));
    heap.set_limit(usize::MAX);
    map.insert(&mut heap, keys[8], "does".to_string());
    assert_eq!(map.iter(&heap).count(), 9);
}

#[test]
fn a_set_has_what_is_alive() {
    let mut heap = checked().build();
    let set = heap.alloc(WeakSet::<AnyGc>::new());
    let objects: Vec<AnyGc> = (0..50).map(|_| key(&mut heap)).collect();
    for &object in &objects {
        assert!(set.insert(&mut heap, object) && !set.insert(&mut heap, object));
    }
    assert!(set.remove(&mut heap, objects[0]) && !set.contains(&heap, objects[0]));
    heap.collect(&(set, objects[..10].to_vec()));
    assert!(set.iter(&heap).eq(objects[1..10].iter().copied()));
}

#[test]
fn without_memory_for_those_that_wait_the_answer_is_the_same() {
    let ledger = Ledger::new();
    let mut heap = checked().build();
    tumulus_heap::hooks::limit_scratch(&mut heap, Some(0));
    let maps = [(); 3].map(|()| map(&mut heap));
    let first = chain(&mut heap, &ledger, &maps, scaled(300, 20), true);
    let ring = [(); 2].map(|()| key(&mut heap));
    insert(&mut heap, &ledger, maps[0], ring[0], Some(ring[1]));
    insert(&mut heap, &ledger, maps[1], ring[1], Some(ring[0]));
    let roots = heap.alloc(maps.map(Gc::erase));
    heap.collect(&(roots, first));
    assert!(!heap.contains(ring[0]) && !heap.contains(ring[1]));
    ledger.expect_dropped(2);
    heap.start_major();
    slices(&mut heap, &roots, 50, |_, _| ());
    ledger.expect_all_dropped();
    assert!(maps.iter().all(|map| map.iter(&heap).count() == 0));
}

/// Panics when it is traced, or dropped, if it is told to.
struct Bomb {
    token: Token,
    in_trace: bool,
    in_drop: bool,
}

impl Trace for Bomb {
    fn trace(&self, _: &mut Tracer<'_>) {
        assert!(!self.in_trace, "bomb {} was traced", self.token.id());
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(!self.in_drop, "bomb {} was dropped", self.token.id());
    }
}

#[test]
fn a_value_whose_trace_panics_ends_the_collection_and_nothing_else() {
    let ledger = Ledger::new();
    let mut heap = calm_heap();
    let map = heap.alloc(EphemeronMap::<AnyGc, Bomb>::new());
    let keys: Vec<AnyGc> = (0..20).map(|_| key(&mut heap)).collect();
    for (at, &key) in keys.iter().enumerate() {
        let token = ledger.token();
        map.insert(&mut heap, key, Bomb { token, in_trace: at == 7, in_drop: false });
    }
    let words = panic_words(|| heap.collect(&(map, keys[5..].to_vec())));
    assert_eq!(words, "bomb 7 was traced");
    assert_eq!(map.iter(&heap).count(), 20);
    map.get_mut(&mut heap, keys[7]).unwrap().in_trace = false;
    expect_sound(&heap);
    heap.collect(&(map, keys[5..].to_vec()));
    assert_eq!(map.iter(&heap).count(), 15);
    ledger.expect_dropped(5);
}

#[test]
fn values_whose_drop_panics_are_pruned_all_the_same() {
    for minor in [false, true] {
        let ledger = Ledger::new();
        let mut heap = calm_heap();
        let map = heap.alloc(EphemeronMap::<AnyGc, Bomb>::new());
        for at in 0..50 {
            let key = key(&mut heap);
            let token = ledger.token();
            map.insert(&mut heap, key, Bomb { token, in_trace: false, in_drop: at % 7 == 3 });
        }
        let words = panic_words(|| if minor { heap.collect_minor(&map) } else { heap.collect(&map) });
        assert_eq!(words, "bomb 3 was dropped");
        ledger.expect_all_dropped();
        assert_eq!(map.iter(&heap).count(), 0);
        expect_sound(&heap);
        assert!(catch(|| heap.collect(&())).is_ok());
    }
}

#[test]
fn a_map_that_dies_drops_its_values_and_keeps_no_key() {
    let ledger = Ledger::new();
    let mut heap = checked().build();
    let map = map(&mut heap);
    let keys: Vec<AnyGc> = (0..100).map(|_| key(&mut heap)).collect();
    for &key in &keys {
        insert(&mut heap, &ledger, map, key, None);
    }
    heap.collect(&keys);
    assert!(!heap.contains(map) && keys.iter().all(|&key| heap.contains(key)));
    ledger.expect_all_dropped();
}

#[test]
fn without_a_collector_entries_stay() {
    let mut heap = Heap::builder().collector(Collector::None).build();
    let map = heap.alloc(EphemeronMap::<AnyGc, u8>::new());
    for n in 0..100 {
        let key = key(&mut heap);
        map.insert(&mut heap, key, n);
    }
    heap.collect(&());
    assert_eq!(map.iter(&heap).count(), 100);
}
