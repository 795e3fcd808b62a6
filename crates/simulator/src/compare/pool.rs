//! Doing many things at once.

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Does `work` with each of `items`, some at once; the results in the order of the items. The work is also told how many have
/// been done before it began.
pub(super) fn each<T: Sync, R: Send>(
    at_once: NonZeroUsize,
    items: &[T],
    work: impl Fn(usize, &T) -> R + Sync,
) -> Vec<R> {
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let results: Mutex<Vec<Option<R>>> = Mutex::new(items.iter().map(|_| None).collect());
    std::thread::scope(|scope| {
        for _ in 0..at_once.get().min(items.len()) {
            scope.spawn(|| {
                while let Some((at, item)) = take(&next, items) {
                    let result = work(done.load(Ordering::Relaxed), item);
                    done.fetch_add(1, Ordering::Relaxed);
                    results.lock().expect("nobody panics with the lock")[at] = Some(result);
                }
            });
        }
    });
    let results = results.into_inner().expect("nobody panics with the lock");
    results.into_iter().map(|result| result.expect("each was done")).collect()
}

fn take<'i, T>(next: &AtomicUsize, items: &'i [T]) -> Option<(usize, &'i T)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    items.get(at).map(|item| (at, item))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_done_once_and_results_are_in_order() {
        let items: Vec<usize> = (0..100).collect();
        for at_once in [1, 3, 200] {
            let doubled = each(NonZeroUsize::new(at_once).unwrap(), &items, |_, &item| item * 2);
            assert_eq!(doubled, items.iter().map(|item| item * 2).collect::<Vec<_>>());
        }
        assert!(each(NonZeroUsize::MIN, &[], |_, item: &usize| *item).is_empty());
    }
}
