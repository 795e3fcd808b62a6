//! An allocator with a budget: a collection is what makes room in it, and all of it is back at the end.

use std::sync::Arc;
use tumulus_arraybuffer::{
    Allocator, ArrayBuffer, DetachKey, Error, Layout, LimitedAllocator, NoMemory, SystemAllocator, release,
};
use tumulus_heap::Heap;
use tumulus_testing::{AccountingAllocator, assert_external_bytes};
use tumulus_tests::calm_heap;

const BUDGET: usize = 32_768;
const HALF: u64 = 16_384;

/// One with guards over one with a budget would spend it on the guards.
type Budgeted = LimitedAllocator<AccountingAllocator<SystemAllocator>>;

fn budgeted() -> Arc<Budgeted> {
    Arc::new(LimitedAllocator::new(AccountingAllocator::over(SystemAllocator, 0), BUDGET))
}

fn half(heap: &mut Heap, budget: &Arc<Budgeted>) -> Result<ArrayBuffer, Error> {
    ArrayBuffer::new(heap, Layout::new(HALF).allocator(budget))
}

fn is_refused(result: Result<ArrayBuffer, Error>) -> bool {
    matches!(result, Err(Error::OutOfMemory { requested: 16_384, reason: NoMemory::Allocator, .. }))
}

#[test]
fn two_halves_fit_and_a_third_only_after_a_collection() {
    let budget = budgeted();
    let mut heap = calm_heap();
    let first = half(&mut heap, &budget).unwrap();
    let second = half(&mut heap, &budget).unwrap();
    assert_eq!(budget.used(), BUDGET);
    assert!(is_refused(half(&mut heap, &budget)));

    // Both are alive: collections do not help, however they are asked for.
    let both = [first, second];
    assert!(is_refused(ArrayBuffer::new_or_collect(&mut heap, &both, Layout::new(HALF).allocator(&budget))));
    assert_eq!((budget.used(), heap.statistics().external_bytes), (BUDGET, BUDGET));

    // One is dead. It takes a collection to find that out.
    assert!(is_refused(half(&mut heap, &budget)));
    let before = heap.statistics().collections;
    let third = ArrayBuffer::new_or_collect(&mut heap, &second, Layout::new(HALF).allocator(&budget)).unwrap();
    assert!(heap.statistics().collections > before);
    assert!(!heap.contains(first.erase()) && heap.contains(second.erase()));
    assert!(third.as_slice(&heap).unwrap().iter().all(|&byte| byte == 0));
    assert_eq!((budget.used(), heap.statistics().external_bytes), (BUDGET, BUDGET));

    heap.collect(&());
    release::flush();
    assert_eq!(budget.used(), 0);
    assert_external_bytes(&heap, 0);
}

#[test]
fn a_detach_makes_room_at_once() {
    let budget = budgeted();
    let mut heap = calm_heap();
    let first = half(&mut heap, &budget).unwrap();
    half(&mut heap, &budget).unwrap();
    first.detach(&mut heap, DetachKey::Undefined).unwrap();
    assert_eq!(budget.used(), BUDGET / 2);
    half(&mut heap, &budget).unwrap();
    drop(heap);
    release::flush();
    assert_eq!(budget.used(), 0);
}

#[test]
fn what_is_held_from_outside_is_not_given_to_others() {
    let budget = budgeted();
    let mut heap = calm_heap();
    let held = half(&mut heap, &budget).unwrap().externalize(&mut heap);
    half(&mut heap, &budget).unwrap();
    let layout = Layout::new(HALF).allocator(&budget);
    // The other half is dead, and serves twice; the held one is not touched.
    let kept = ArrayBuffer::new_or_collect(&mut heap, &(), layout.clone()).unwrap();
    assert!(is_refused(ArrayBuffer::new_or_collect(&mut heap, &kept, layout.clone())));
    held.with_bytes_mut(|bytes| bytes.fill(7)).unwrap();
    assert!(kept.as_slice(&heap).unwrap().iter().all(|&byte| byte == 0));

    drop(held);
    ArrayBuffer::new_or_collect(&mut heap, &kept, layout).unwrap();
    drop(heap);
    release::flush();
    assert_eq!(budget.used(), 0);
}

#[test]
fn what_never_fits_is_refused_without_a_collection() {
    let budget = budgeted();
    let mut heap = calm_heap();
    let layout = Layout::new(BUDGET as u64 + 1).allocator(&budget);
    assert!(matches!(ArrayBuffer::new_or_collect(&mut heap, &(), layout), Err(Error::Length { max: 32_768, .. })));
    assert_eq!((heap.statistics().collections, budget.max_bytes()), (0, BUDGET));
}
