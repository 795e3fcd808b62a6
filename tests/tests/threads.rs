//! Heaps share nothing but numbers: many of them, in many threads and in one, each with its own mix of types, get on
//! side by side.

use std::sync::Barrier;
use tumulus_heap::{AnyGc, Gc, Heap, HeapError, Trace};
use tumulus_tests::{Ledger, Token, expect_sound, scaled};

#[derive(Trace)]
struct Node<const N: usize> {
    token: Token,
    next: Option<Gc<Node<N>>>,
    payload: [u32; N],
}

/// Builds a list between garbage, collects now and then, and checks the list to its end.
fn work<const N: usize>(heap: &mut Heap, ledger: &Ledger, seed: u32) -> (Gc<Node<N>>, usize) {
    let mut list = None;
    let mut len = 0;
    for n in 0..scaled(120, 12) as u32 {
        let payload = [seed.wrapping_add(n); N];
        let node = heap.alloc(Node { token: ledger.token(), next: list, payload });
        if n % 3 == 0 {
            list = Some(node);
            len += 1;
        }
        heap.alloc_slice_with((n % 50) as usize, |_| seed);
        heap.alloc_str("garbage");
        heap.safepoint(&list);
        if n % 40 == 0 {
            heap.collect_minor(&list);
        }
    }
    (list.unwrap(), len)
}

fn check<const N: usize>(heap: &Heap, list: Gc<Node<N>>, len: usize, seed: u32) {
    let mut at = Some(list);
    for n in (0..len as u32).rev() {
        let node = &heap[at.expect("the list is shorter than it was")];
        assert_eq!(node.payload, [seed.wrapping_add(3 * n); N]);
        at = node.next;
    }
    assert!(at.is_none());
}

#[test]
fn many_threads_with_heaps_of_their_own() {
    const THREADS: u32 = scaled(8, 3) as u32;
    fn life<const A: usize, const B: usize>(seed: u32, barrier: &Barrier) -> Vec<AnyGc> {
        barrier.wait();
        let ledger = Ledger::new();
        let mut left = Vec::new();
        for round in 0..scaled(4, 1) as u32 {
            let seed = seed + round;
            let mut heap = Heap::new();
            let (a, a_len) = work::<A>(&mut heap, &ledger, seed);
            let a = heap.root(a);
            let (b, b_len) = work::<B>(&mut heap, &ledger, !seed);
            heap.collect(&b);
            check(&heap, a.get(), a_len, seed);
            check(&heap, b, b_len, !seed);
            expect_sound(&heap);
            left.extend([a.get().erase(), b.erase()]);
            drop(heap);
            ledger.expect_all_dropped();
        }
        left
    }
    let barrier = &Barrier::new(THREADS as usize);
    let left: Vec<AnyGc> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|n| {
                scope.spawn(move || match n % 4 {
                    0 => life::<1, 50>(n * 1_000, barrier),
                    1 => life::<3, 700>(n * 1_000, barrier),
                    2 => life::<50, 3>(n * 1_000, barrier),
                    _ => life::<9, 1>(n * 1_000, barrier),
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    // No two of all these objects had the same handle.
    let distinct: std::collections::HashSet<AnyGc> = left.iter().copied().collect();
    assert_eq!(distinct.len(), left.len());
    let heap = Heap::new();
    assert!(left.iter().all(|&gc| !heap.contains(gc)));
}

#[test]
fn a_hundred_heaps_in_one_thread() {
    const HEAPS: usize = scaled(100, 5);
    let ledger = Ledger::new();
    let mut heaps: Vec<(Heap, Gc<Vec<Gc<Token>>>)> = (0..HEAPS)
        .map(|_| {
            let mut heap = Heap::new();
            let table = heap.alloc(Vec::new());
            (heap, table)
        })
        .collect();
    for round in 0..5 {
        for (n, (heap, table)) in heaps.iter_mut().enumerate() {
            for _ in 0..n {
                let token = heap.alloc(ledger.token());
                if round == n % 5 {
                    heap.get_mut(*table).push(token);
                }
            }
            heap.collect_minor(&*table);
        }
    }
    for (n, (heap, table)) in heaps.iter().enumerate() {
        assert_eq!(heap[*table].len(), n);
        assert!(heap[*table].iter().all(|&token| heap.contains(token)));
        expect_sound(heap);
        for (m, (other, other_table)) in heaps.iter().enumerate() {
            assert_eq!(other.contains(*table), n == m);
            assert_eq!(heap.contains(*other_table), n == m);
        }
    }
    ledger.expect_dropped(4 * (0..HEAPS).sum::<usize>());
    // In no order in particular.
    while !heaps.is_empty() {
        heaps.swap_remove(heaps.len() / 3);
    }
    ledger.expect_all_dropped();
}

#[test]
#[cfg_attr(miri, ignore = "Miri gives up where a system refuses")]
fn more_heaps_than_the_system_has_addresses_for() {
    let mut heaps = Vec::new();
    let refused = loop {
        match Heap::try_new() {
            Ok(mut heap) => {
                let gc = heap.alloc(heaps.len());
                heaps.push((heap, gc));
            }
            Err(error) => break Some(error),
        }
        if heaps.len() == 2_500 {
            break None;
        }
    };
    assert!(heaps.len() >= 1_000, "{} heaps, and then {refused:?}", heaps.len());
    if let Some(error) = refused {
        assert!(matches!(error, HeapError::AddressSpace { .. }), "{error}");
        // One that goes makes room for another.
        heaps.pop();
        heaps.pop();
        let mut heap = Heap::try_new().unwrap();
        let gc = heap.alloc(heaps.len());
        heaps.push((heap, gc));
    }
    assert!(heaps.iter().enumerate().all(|(n, (heap, gc))| heap[*gc] == n));
    let (first, last) = (&heaps[0], &heaps[heaps.len() - 1]);
    assert!(!first.0.contains(last.1) && !last.0.contains(first.1));
}

#[test]
fn handles_pass_through_threads_and_come_home() {
    const COUNT: usize = scaled(1_000, 30);
    let mut heap = Heap::new();
    let handles: Vec<Gc<[u64; 2]>> = (0..COUNT as u64).map(|n| heap.alloc([n; 2])).collect();
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        for chunk in handles.chunks(COUNT / 10) {
            let send = send.clone();
            scope.spawn(move || {
                let mut own = Heap::new();
                for &gc in chunk {
                    assert!(own.try_get(gc).is_err() && own.try_get_mut(gc).is_err());
                    own.alloc([7_u64; 2]);
                    send.send(gc).unwrap();
                }
            });
        }
    });
    drop(send);
    let mut back: Vec<u64> = receive.into_iter().map(|gc| heap[gc][0]).collect();
    back.sort_unstable();
    assert!(back.into_iter().eq(0..COUNT as u64));
}
