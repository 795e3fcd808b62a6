//! The size of the cells on each page number, the same for every heap of the process.
//!
//! Invariant **I1**: once a page number has a stride, it has it until the process ends. This is what makes the index of
//! *any* handle a cell border in *any* heap: where a heap uses the page, its cells start at the same granules, and
//! where it does not, the memory is zero.
//!
//! Page numbers with the same stride are handed out in the same order to every heap, so that heaps overlap as far as
//! they can and each keeps to the start of its cage. The lock is taken once per page, never on an access.

use super::layout::{MAX_STRIDE, PAGE_GRANULES};
use parking_lot::Mutex;

/// Numbers from here on are not handed out. That is one page of the largest cage, whose end has no index.
const END: u32 = u32::MAX / PAGE_GRANULES;

struct Classes {
    /// For each stride in granules, its page numbers in the order in which they are handed out.
    numbers: [Vec<u32>; MAX_STRIDE + 1],
    /// The first page number that has no stride yet. Page 0 has none, so that no cell has index 0.
    unassigned: u32,
}

static CLASSES: Mutex<Classes> = Mutex::new(Classes { numbers: [const { Vec::new() }; MAX_STRIDE + 1], unassigned: 1 });

/// Why there is no such page number.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum NoPage {
    /// All below the bound are taken by other strides.
    AddressSpace,
    /// The system refused memory for the list.
    System,
}

/// The `nth` page number of a stride, if it is below `bound`.
pub(super) fn page_number(stride: u32, nth: usize, bound: u32) -> Result<u32, NoPage> {
    let bound = bound.min(END);
    let mut classes = CLASSES.lock();
    let Classes { numbers, unassigned } = &mut *classes;
    let numbers = &mut numbers[stride as usize];
    while numbers.len() <= nth {
        if *unassigned >= bound {
            return Err(NoPage::AddressSpace);
        }
        numbers.try_reserve(1).map_err(|_| NoPage::System)?;
        numbers.push(*unassigned);
        *unassigned += 1;
    }
    let number = numbers[nth];
    if number < bound { Ok(number) } else { Err(NoPage::AddressSpace) }
}

/// Whether this page number has this stride.
pub(super) fn is_assigned(stride: u32, number: u32) -> bool {
    CLASSES.lock().numbers[stride as usize].binary_search(&number).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_keeps_its_stride() {
        let first: Vec<_> = (0..3).map(|nth| page_number(127, nth, 1000).unwrap()).collect();
        let other: Vec<_> = (0..3).map(|nth| page_number(126, nth, 1000).unwrap()).collect();
        let again: Vec<_> = (0..3).map(|nth| page_number(127, nth, 1000).unwrap()).collect();
        assert_eq!(first, again);
        assert!(first.iter().all(|number| !other.contains(number) && *number > 0));
        assert_eq!(page_number(127, 0, first[0]), Err(NoPage::AddressSpace));
        assert!((END - 1).checked_mul(PAGE_GRANULES).and_then(|index| index.checked_add(PAGE_GRANULES)).is_some());
    }
}
