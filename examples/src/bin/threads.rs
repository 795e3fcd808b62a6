//! Heaps on threads that share a `SharedArrayBuffer`, with a lock and a queue made of `Atomics.wait` and `Atomics.notify`.
//!
//! Each worker has a heap of its own, and collects when it likes: no thread stops for another one's garbage. What they share
//! are bytes. The main thread posts numbers, and the workers count the primes up to each.

use std::thread;
use tumulus_arraybuffer::atomics::{self, access};
use tumulus_arraybuffer::{BackingStore, Element, ElementKind, Error, SharedArrayBuffer, TypedArray};
use tumulus_heap::{Gc, Heap};

const WORKERS: usize = 3;
const JOBS: u32 = 12;

/// Words of the shared memory.
const POSTED: u64 = 0; // how many jobs there are
const TAKEN: u64 = 1; // how many somebody has begun with
const DONE: u64 = 2; // how many are done
const CLOSED: u64 = 3; // 1 when no more will come
const BELL: u64 = 4; // changes whenever one of those that workers wait for has
const SLOTS: u64 = 5; // of each job its number, and then its result
const WORDS: u64 = SLOTS + JOBS as u64;

/// A thread's view of the shared memory, in its own heap.
struct Shared {
    heap: Heap,
    words: TypedArray,
}

impl Shared {
    fn new(store: BackingStore) -> Result<Shared, Error> {
        let mut heap = Heap::builder().limit(4 << 20).build();
        let buffer = SharedArrayBuffer::from_store(&mut heap, store)?;
        let words = TypedArray::new(&mut heap, ElementKind::Int32, buffer, 0, None)?;
        Ok(Shared { heap, words })
    }

    fn load(&self, at: u64) -> Result<u32, Error> {
        Ok(number(access(&self.heap, self.words, at)?.load(&self.heap)?))
    }

    fn store(&mut self, at: u64, value: u32) -> Result<(), Error> {
        access(&self.heap, self.words, at)?.store(&mut self.heap, Element::Number(value.into())).map(drop)
    }

    /// Adds, and wakes all who wait for this word to change.
    fn add(&mut self, at: u64, value: u32) -> Result<(), Error> {
        access(&self.heap, self.words, at)?.add(&mut self.heap, Element::Number(value.into()))?;
        atomics::notify(&self.heap, self.words, at, f64::INFINITY).map(drop)
    }

    /// Sleeps while a word has this value.
    fn wait_while(&self, at: u64, value: u32) -> Result<(), Error> {
        atomics::wait(&self.heap, self.words, at, Element::Number(value.into()), f64::INFINITY).map(drop)
    }

    /// Takes the next job; `None` when there will be none.
    fn take(&mut self) -> Result<Option<u64>, Error> {
        loop {
            // The bell first: whatever changes after it was read changes it as well, and then there is no sleep.
            let bell = self.load(BELL)?;
            let (is_closed, taken, posted) = (self.load(CLOSED)?, self.load(TAKEN)?, self.load(POSTED)?);
            if taken < posted {
                let next = access(&self.heap, self.words, TAKEN)?;
                let (old, new) = (Element::Number(taken.into()), Element::Number((taken + 1).into()));
                if next.compare_exchange(&mut self.heap, old, new)? == old {
                    return Ok(Some(SLOTS + u64::from(taken)));
                }
            } else if is_closed == 1 {
                return Ok(None);
            } else {
                self.wait_while(BELL, bell)?;
            }
        }
    }
}

fn number(element: Element) -> u32 {
    match element {
        #[allow(clippy::cast_sign_loss, reason = "none is less than zero")]
        Element::Number(number) => number as u32,
        Element::BigInt(_) => unreachable!("an Int32Array has numbers"),
    }
}

/// Counts primes, with a list in the worker's heap that is garbage soon.
fn primes_to(shared: &mut Shared, limit: u32) -> u32 {
    let mut primes: Gc<Vec<u32>> = shared.heap.alloc(Vec::new());
    for candidate in 2..=limit {
        let mut divisors = shared.heap[primes].iter().take_while(|&&prime| prime * prime <= candidate);
        if divisors.all(|prime| candidate % prime != 0) {
            let longer = [shared.heap[primes].as_slice(), &[candidate]].concat();
            primes = shared.heap.alloc(longer);
        }
        shared.heap.safepoint(&(primes, shared.words));
    }
    shared.heap[primes].len() as u32
}

fn work(store: BackingStore) -> Result<usize, Error> {
    let mut shared = Shared::new(store)?;
    let mut jobs = 0;
    while let Some(slot) = shared.take()? {
        let limit = shared.load(slot)?;
        let count = primes_to(&mut shared, limit);
        shared.store(slot, count)?;
        shared.add(DONE, 1)?;
        jobs += 1;
    }
    Ok(jobs)
}

fn main() -> Result<(), Error> {
    let store = BackingStore::shared(4 * WORDS)?;
    let mut shared = Shared::new(store.clone())?;
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let store = store.clone();
            thread::spawn(move || work(store))
        })
        .collect();

    for job in 0..JOBS {
        shared.store(SLOTS + u64::from(job), 100 * (job + 1))?;
        shared.store(POSTED, job + 1)?;
        shared.add(BELL, 1)?;
    }
    loop {
        let done = shared.load(DONE)?;
        if done == JOBS {
            break;
        }
        shared.wait_while(DONE, done)?;
    }
    shared.store(CLOSED, 1)?;
    shared.add(BELL, 1)?;

    let mut jobs = 0;
    for worker in workers {
        jobs += worker.join().expect("it does not panic")?;
    }
    for job in 0..JOBS {
        println!("primes up to {:>4}: {:>3}", 100 * (job + 1), shared.load(SLOTS + u64::from(job))?);
    }
    println!("{jobs} jobs by {WORKERS} workers; references to the memory: {}", store.use_count());
    Ok(())
}
