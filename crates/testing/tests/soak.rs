//! A long run of everything at once, after which nothing has grown: see `scripts/soak`.

use std::collections::VecDeque;
use tumulus_arraybuffer::{ArrayBuffer, BackingStore, SharedArrayBuffer, registry, release};
use tumulus_heap::{AnyGc, EphemeronMap, FinalizationRegistry, Gc, Heap, Trace, Weak, Zeal};

/// Resident memory may change by so many parts in a thousand, from the first tenth on.
const FLAT: usize = 20;
/// How many objects the program has in a place of their own.
const WINDOW: usize = 4000;

#[derive(Trace)]
struct Node {
    number: u64,
    /// How many there are behind it.
    depth: u64,
    next: Option<Gc<Node>>,
    text: Option<Gc<str>>,
}

impl Node {
    /// Whether it neither refers to another one nor is a key of one: a value, so that what a key keeps alive is bounded.
    fn is_end_of_all(&self) -> bool {
        self.depth == 0 && self.number % 16 != 5
    }
}

/// What the program has at hand: the last so many, whatever they are.
#[derive(Trace)]
struct World {
    nodes: Vec<Option<Gc<Node>>>,
    others: VecDeque<AnyGc>,
    map: Gc<EphemeronMap<Gc<Node>, Gc<Node>>>,
    registry: Gc<FinalizationRegistry<u64>>,
}

struct Soak {
    heap: Heap,
    world: World,
    held: VecDeque<BackingStore>,
    weak: VecDeque<Weak<Node>>,
    noise: u64,
}

impl Soak {
    fn new() -> Soak {
        let mut heap = Heap::builder().zeal(Zeal::none()).build();
        let (map, registry) = (heap.alloc(EphemeronMap::new()), heap.alloc(FinalizationRegistry::new()));
        let world = World { nodes: vec![None; WINDOW], others: VecDeque::new(), map, registry };
        Soak { heap, world, held: VecDeque::new(), weak: VecDeque::new(), noise: 1 }
    }

    fn random(&mut self, below: usize) -> usize {
        self.noise = self.noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.noise >> 33) as usize % below
    }

    /// One allocation, or one that brings a store with it.
    fn step(&mut self, number: u64) {
        let at = number as usize % WINDOW;
        let Soak { heap, world, held, weak, .. } = self;
        match number % 512 {
            7 => {
                let buffer = ArrayBuffer::new(heap, 16 + number % 5000).expect("memory");
                buffer.as_mut_slice(heap).expect("attached")[0] = 7;
                world.others.push_back(buffer.erase());
                if number % 1024 == 7 {
                    held.push_back(buffer.externalize(heap));
                }
            }
            100 if number.is_multiple_of(1 << 15) => {
                world.others.push_back(ArrayBuffer::new(heap, 1 << 20).expect("memory").erase());
            }
            200 => world.others.push_back(SharedArrayBuffer::new(heap, 100 + number % 1000).expect("memory").erase()),
            300 => world.others.push_back(heap.alloc_slice_with(1 + at, |at| at).erase()),
            400 => {
                let text = heap.alloc_str("mound");
                if let Some(node) = world.nodes[at] {
                    heap.get_mut(node).text = Some(text);
                }
            }
            _ => {
                // Chains of up to a dozen, or everything would be reachable in the end.
                let next = world.nodes[at.wrapping_mul(7) % WINDOW].filter(|&next| heap[next].depth < 11);
                let depth = next.map_or(0, |next| heap[next].depth + 1);
                let node = heap.alloc(Node { number, depth, next, text: None });
                if number % 16 == 3 {
                    world.registry.register(heap, node, number, None).expect("room");
                    weak.push_back(node.downgrade());
                } else if number % 16 == 5
                    && let Some(value) = world.nodes[at].filter(|&value| heap[value].is_end_of_all())
                {
                    world.map.insert(heap, node, value);
                }
                world.nodes[at] = Some(node);
            }
        }
        if number.is_multiple_of(64) {
            self.tidy();
        }
    }

    fn tidy(&mut self) {
        let kept = 100 + self.random(50);
        let Soak { heap, world, held, weak, .. } = self;
        world.others.drain(..world.others.len().saturating_sub(kept));
        held.drain(..held.len().saturating_sub(20));
        weak.drain(..weak.len().saturating_sub(100));
        let cut = kept * 7 % WINDOW;
        world.nodes[cut..(cut + 100).min(WINDOW)].fill(None);
        heap.safepoint(&*world);
        while world.registry.take_dead(heap).is_some() {}
        for &weak in weak.iter().take(3) {
            if let Some(node) = weak.upgrade(heap) {
                assert_eq!(heap[node].number % 16, 3, "another object");
            }
        }
    }

    /// Frees what is garbage, and says how many bytes of memory the process has.
    fn resident(&mut self) -> usize {
        self.heap.collect(&self.world);
        release::flush();
        let pages = std::fs::read_to_string("/proc/self/statm").ok();
        let pages = pages.as_deref().and_then(|text| text.split(' ').nth(1)).and_then(|text| text.parse().ok());
        pages.unwrap_or(0) * 4096
    }
}

fn soak(allocations: u64) {
    let before = registry::totals();
    let mut soak = Soak::new();
    let mut seen = Vec::new();
    for tenth in 0..10 {
        for number in tenth * allocations / 10..(tenth + 1) * allocations / 10 {
            soak.step(number);
        }
        seen.push(soak.resident());
        soak.heap.verify().expect("in order");
        let now = soak.heap.statistics();
        println!(
            "{} KiB resident, {} KiB committed, {} objects, {} external bytes",
            seen[seen.len() - 1] >> 10,
            now.committed_bytes >> 10,
            now.live_objects,
            now.external_bytes
        );
    }
    let steady = &seen[1..];
    let (least, most) = (steady.iter().min().copied().unwrap_or(0), steady.iter().max().copied().unwrap_or(0));
    let Soak { mut heap, held, .. } = soak;
    drop(held);
    heap.collect(&());
    release::flush();
    let left = heap.statistics().external_bytes;
    let totals = registry::totals();
    assert_eq!((left, totals.stores), (0, before.stores), "external bytes, and stores");
    assert_eq!(heap.statistics().live_objects, 0);
    let grown = (most - least) * 1000 / least.max(1);
    println!(
        "soak: {allocations} allocations, {} to {} KiB resident ({}.{} %), {left} external bytes at the end",
        least >> 10,
        most >> 10,
        grown / 10,
        grown % 10
    );
    if allocations >= 10_000_000 {
        assert!(grown <= FLAT, "resident memory is not flat: {seen:?}");
    }
}

#[test]
fn a_short_run() {
    soak(if cfg!(miri) { 2_000 } else { 200_000 });
}

#[test]
#[ignore = "takes as long as it is told"]
fn as_long_as_it_is_told() {
    soak(std::env::var("TUMULUS_SOAK").map_or(1_000_000, |count| count.parse().expect("a number")));
}
