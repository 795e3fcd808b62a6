//! A system that refuses memory: what needs it is an error with a reason, or is done without, and nothing aborts.
//!
//! Each test runs in a process that has few addresses, and some of them take all of these away. The sanitizers need more
//! than such a process has, so that `scripts/asan` leaves these tests out, by the name of their module.

#[cfg(all(target_os = "linux", not(miri)))]
mod ulimit {
    use tumulus_heap::{AllocErrorKind, Gc, Heap, HeapError, Root, RootError, Trace};
    use tumulus_tests::{Ledger, Process, Token, expect_sound};

    const GIGABYTE: u64 = 1 << 30;

    /// Takes all memory that the system still grants, but for half a megabyte for the test itself.
    fn take_all_memory() -> Vec<Vec<u8>> {
        let mut taken: Vec<Vec<u8>> = Vec::with_capacity(100_000);
        let spare = std::hint::black_box(Vec::<u8>::with_capacity(512 << 10));
        for size in [64 << 20, 1 << 20, 64 << 10, 4 << 10] {
            loop {
                let mut block = Vec::new();
                if taken.len() == taken.capacity() || block.try_reserve_exact(size).is_err() {
                    break;
                }
                taken.push(block);
            }
        }
        drop(spare);
        taken
    }

    fn fill(heap: &mut Heap) -> (Vec<Gc<[u64; 15]>>, AllocErrorKind) {
        let mut made = Vec::new();
        loop {
            match heap.try_alloc([made.len() as u64; 15]) {
                Ok(gc) => made.push(gc),
                Err(error) => return (made, error.kind),
            }
        }
    }

    #[test]
    fn a_heap_is_smaller_where_addresses_are_scarce() {
        Process::for_test("ulimit::a_heap_is_smaller_where_addresses_are_scarce").addresses(GIGABYTE).run(|| {
            let mut heap = Heap::try_new().unwrap();
            let mut other = Heap::try_new().unwrap();
            let text = other.alloc_str("other");
            let (made, kind) = fill(&mut heap);
            assert_eq!(kind, AllocErrorKind::AddressSpace);
            let bytes = made.len() * 128;
            assert!((8 << 20..512 << 20).contains(&bytes), "{bytes}");
            assert!(made.iter().enumerate().all(|(n, &gc)| heap[gc] == [n as u64; 15]));
            let words = heap.try_alloc([0_u64; 15]).unwrap_err().to_string();
            assert!(words.contains("the heap's address range is used up; collect"), "{words}");
            expect_sound(&heap);

            heap.collect(&made[7]);
            assert_eq!(heap[made[7]], [7; 15]);
            let (again, kind) = fill(&mut heap);
            assert_eq!((again.len(), kind), (made.len() - 1, AllocErrorKind::AddressSpace));
            assert_eq!(&other[text], "other");
            expect_sound(&heap);
            expect_sound(&other);
        });
    }

    #[test]
    fn the_first_heap_is_refused_if_not_even_the_smallest_fits() {
        Process::for_test("ulimit::the_first_heap_is_refused_if_not_even_the_smallest_fits").addresses(GIGABYTE).run(
            || {
                let taken = take_all_memory();
                let refused = Heap::try_new();
                drop(taken);
                let error = refused.unwrap_err();
                assert!(matches!(error, HeapError::AddressSpace { bytes, .. } if bytes == 4 << 20), "{error}");
                assert!(error.to_string().contains("refused 4194304 bytes of address space for a heap"), "{error}");
                assert!(error.to_string().contains("raise `ulimit -v`"), "{error}");

                // That settled nothing: now there is room.
                let mut heap = Heap::try_new().unwrap();
                let (made, _) = fill(&mut heap);
                assert!(made.len() * 128 > 8 << 20, "{}", made.len());
            },
        );
    }

    #[test]
    fn one_heap_too_many_is_an_error_and_a_heap_that_goes_makes_room_for_it() {
        let test = "ulimit::one_heap_too_many_is_an_error_and_a_heap_that_goes_makes_room_for_it";
        Process::for_test(test).addresses(GIGABYTE).run(|| {
            let mut heaps: Vec<(Heap, Gc<usize>)> = Vec::new();
            for round in 0..3 {
                let error = loop {
                    match Heap::try_new() {
                        Ok(mut heap) => {
                            let gc = heap.alloc(heaps.len());
                            heaps.push((heap, gc));
                        }
                        Err(error) => break error,
                    }
                };
                assert!(matches!(error, HeapError::AddressSpace { .. }), "{error}");
                assert!(error.to_string().contains("drop other heaps"), "{error}");
                // An eighth for each of them is what the first one left.
                assert!((4..20).contains(&heaps.len()), "{} heaps in round {round}", heaps.len());
                assert!(heaps.iter().enumerate().all(|(n, (heap, gc))| heap[*gc] == n));
                let before = heaps.len();
                heaps.pop();
                let mut heap = Heap::try_new().expect("as large as the one that went");
                let gc = heap.alloc(heaps.len());
                heaps.push((heap, gc));
                assert_eq!(heaps.len(), before);
                heaps.truncate(before - 2);
            }
        });
    }

    #[test]
    fn a_block_that_the_system_refuses_is_an_error_and_small_objects_go_on() {
        let test = "ulimit::a_block_that_the_system_refuses_is_an_error_and_small_objects_go_on";
        Process::for_test(test).addresses(GIGABYTE).run(|| {
            let mut heap = Heap::try_new().unwrap();
            let kept = heap.alloc_slice_with(100_000, |at| at);
            let ledger = Ledger::new();
            let error = heap.try_alloc_slice_with(1 << 30, |_| ledger.token()).unwrap_err();
            assert_eq!((error.kind, ledger.made()), (AllocErrorKind::System, 0));
            assert!(error.to_string().contains("the operating system refused the memory"), "{error}");

            let taken = take_all_memory();
            let large = heap.try_alloc_with(|| [1_u8; 600_000]).map_err(|error| error.kind);
            let slice = heap.try_alloc_slice_with(1 << 20, |_| 0_u16).map_err(|error| error.kind);
            let small: Result<Vec<_>, _> = (0..1_000_u32).map(|n| heap.try_alloc(n)).collect();
            drop(taken);
            assert_eq!(large, Err(AllocErrorKind::System));
            assert_eq!(slice, Err(AllocErrorKind::System));
            assert!(small.unwrap().into_iter().zip(0..).all(|(gc, n)| heap[gc] == n));
            assert!(heap[kept].iter().enumerate().all(|(at, &n)| at == n));
            assert_eq!(heap.statistics().block_bytes, 100_000 * size_of::<usize>());
            expect_sound(&heap);
            assert!(heap.try_alloc_slice_with(1 << 20, |_| 0_u16).is_ok());
        });
    }

    #[derive(Trace)]
    struct Node {
        token: Token,
        children: Vec<Gc<Node>>,
    }

    #[test]
    fn lists_that_cannot_grow_are_errors_or_done_without() {
        const WIDTH: usize = 200_000;
        Process::for_test("ulimit::lists_that_cannot_grow_are_errors_or_done_without").addresses(GIGABYTE).run(|| {
            let ledger = Ledger::new();
            let mut heap = Heap::try_new().unwrap();
            let children = (0..WIDTH)
                .map(|_| {
                    let leaf = heap.alloc(Node { token: ledger.token(), children: Vec::new() });
                    heap.alloc(Node { token: ledger.token(), children: vec![leaf] })
                })
                .collect();
            let tree = heap.alloc(Node { token: ledger.token(), children });
            let lost = heap.alloc(Node { token: ledger.token(), children: Vec::new() });
            let mut roots: Vec<Root<Node>> = Vec::with_capacity(1 << 20);
            let number = heap.alloc(1_u8);

            let taken = take_all_memory();
            // The worklist: what has no place on it is found by walking the pages.
            heap.collect(&(tree, number));
            // The list of old objects that were written to: the next collection is a full one.
            for at in 0..WIDTH {
                let child = heap[tree].children[at];
                heap.get_mut(child).children.swap(0, 0);
            }
            heap.collect_minor(&(tree, number));
            let minor = heap.statistics().minor_collections;
            // The temporaries of a scope.
            let refused = heap.scope(|heap| {
                for _ in 0..1 << 20 {
                    if let Err(error) = heap.try_alloc(1_u8) {
                        return Some(error.kind == AllocErrorKind::System);
                    }
                }
                None
            });
            // The table of roots.
            let no_root = loop {
                match heap.try_root(tree) {
                    Ok(root) if roots.len() < roots.capacity() => roots.push(root),
                    Ok(_) => break None,
                    Err(error) => break Some(error),
                }
            };
            drop(taken);

            assert_eq!((minor, refused), (0, Some(true)));
            let Some(RootError::System { roots: count, .. }) = no_root else { panic!("{no_root:?}") };
            assert_eq!(count, roots.len());
            assert!(roots.iter().all(|root| root.get() == tree));
            assert!(!heap.contains(lost));
            ledger.expect_dropped(1);
            expect_sound(&heap);
            // With memory, all of it is possible again.
            assert!(heap.try_root(tree).is_ok());
            heap.collect(&());
            ledger.expect_dropped(1);
            roots.clear();
            heap.collect(&());
            ledger.expect_all_dropped();
        });
    }
}
