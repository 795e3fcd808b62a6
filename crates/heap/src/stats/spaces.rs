//! What is in the heap, by type and by space.

use crate::heap::Heap;
use crate::raw::{PAGE_BYTES, SpaceView};
use std::any::TypeId;
use std::collections::HashMap;

/// The pages of one type with cells of one size; from [`Heap::space_statistics`].
///
/// # Examples
///
/// ```
/// use tumulus_heap::Heap;
///
/// let mut heap = Heap::new();
/// for n in 0..1000_u64 {
///     heap.alloc([n, n, n]);
/// }
/// let [space] = &heap.space_statistics()[..] else { unreachable!() };
/// assert_eq!((space.type_name, space.objects, space.cell_bytes), ("[u64; 3]", 1000, 32));
/// assert_eq!((space.pages, space.cells), (2, 1024));
/// assert_eq!(space.waste_bytes, 24 * 32);
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpaceStatistics {
    /// The type, as the compiler writes it.
    pub type_name: &'static str,
    /// Bytes of a cell, header and padding included.
    pub cell_bytes: usize,
    /// Whether each value has a block of its own, to which its cell points.
    pub is_large: bool,
    /// Pages of 16 KiB.
    pub pages: usize,
    /// Cells on them.
    pub cells: u64,
    /// Cells with an object. One that has died and was not freed yet counts as alive.
    pub objects: u64,
    /// Bytes of the cells with an object, and of their blocks.
    pub used_bytes: u64,
    /// Bytes of the blocks. Part of the above.
    pub block_bytes: u64,
    /// Bytes of the pages that are not in a cell with an object.
    pub waste_bytes: u64,
}

/// The objects of one type; from [`Heap::type_statistics`].
///
/// # Examples
///
/// ```
/// use tumulus_heap::Heap;
///
/// let mut heap = Heap::new();
/// for n in 0..100 {
///     heap.alloc_slice(&vec![0_u8; n]);
///     heap.alloc(n);
/// }
/// let types = heap.type_statistics();
/// assert_eq!((types[0].type_name, types[0].objects), ("[u8]", 100));
/// assert_eq!((types[1].type_name, types[1].objects), ("usize", 100));
/// assert!(types[0].spaces > types[1].spaces); // one for each size
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TypeStatistics {
    /// The type, as the compiler writes it.
    pub type_name: &'static str,
    /// How many sizes of cells it has.
    pub spaces: usize,
    /// Pages of 16 KiB.
    pub pages: usize,
    /// Objects. One that has died and was not freed yet counts as alive.
    pub objects: u64,
    /// Bytes of their cells and blocks.
    pub used_bytes: u64,
    /// Bytes of the pages that are not in a cell with an object.
    pub waste_bytes: u64,
}

impl SpaceStatistics {
    fn of(view: &SpaceView) -> SpaceStatistics {
        let in_cells = view.objects * view.cell_bytes as u64;
        SpaceStatistics {
            type_name: view.info.name(),
            cell_bytes: view.cell_bytes,
            is_large: view.is_outline,
            pages: view.pages,
            cells: (view.pages * view.cells_per_page) as u64,
            objects: view.objects,
            used_bytes: in_cells + view.block_bytes,
            block_bytes: view.block_bytes,
            waste_bytes: (view.pages * PAGE_BYTES) as u64 - in_cells,
        }
    }
}

impl Heap {
    /// What is in the heap, by type and size of cells. Takes time proportional to their number, and looks at no object.
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::new();
    /// heap.alloc_str("mound");
    /// assert_eq!(heap.space_statistics()[0].type_name, "str");
    /// ```
    pub fn space_statistics(&self) -> Vec<SpaceStatistics> {
        self.store.space_views().map(|view| SpaceStatistics::of(&view)).collect()
    }

    /// A histogram of what is in the heap, by type: the type that takes most bytes is the first. Takes time proportional to
    /// the number of types and sizes, and looks at no object.
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::new();
    /// heap.alloc_str("mound");
    /// for entry in heap.type_statistics() {
    ///     println!("{:>10} objects {:>10} bytes  {}", entry.objects, entry.used_bytes, entry.type_name);
    /// }
    /// ```
    pub fn type_statistics(&self) -> Vec<TypeStatistics> {
        let mut places: HashMap<TypeId, usize> = HashMap::new();
        let mut types: Vec<TypeStatistics> = Vec::new();
        for view in self.store.space_views() {
            let place = *places.entry(view.info.id()).or_insert(types.len());
            if place == types.len() {
                types.push(TypeStatistics {
                    type_name: view.info.name(),
                    spaces: 0,
                    pages: 0,
                    objects: 0,
                    used_bytes: 0,
                    waste_bytes: 0,
                });
            }
            let (space, sum) = (SpaceStatistics::of(&view), &mut types[place]);
            sum.spaces += 1;
            sum.pages += space.pages;
            sum.objects += space.objects;
            sum.used_bytes += space.used_bytes;
            sum.waste_bytes += space.waste_bytes;
        }
        // Stable, so that the order is the same in each run.
        types.sort_by_key(|entry| std::cmp::Reverse(entry.used_bytes));
        types
    }
}
