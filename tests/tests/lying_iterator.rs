//! An iterator that says it is empty and is not lies like any other.

use tumulus_heap::Heap;
use tumulus_tests::panic_words;

struct Liar(u8);

impl Iterator for Liar {
    type Item = u8;
    fn next(&mut self) -> Option<u8> {
        self.0 = self.0.checked_sub(1)?;
        Some(self.0)
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(0))
    }
}

impl ExactSizeIterator for Liar {}

#[test]
fn an_iterator_that_claims_to_be_empty() {
    let mut heap = Heap::new();
    let words = panic_words(|| heap.alloc_slice_from_iter(Liar(2)));
    assert!(words.contains("said that it has 0 items, and yielded more"), "{words}");
}
