//! What can be in a cell, and how to get from the cell to it.
//!
//! [`Object`] has three implementations: any sized `T: Trace`, `[T]`, and `str`. Each gives the address of its payload
//! from the address of its cell; [`TypeInfo`] is the same knowledge with the type erased, one constant per type, which
//! the page table keeps for each page.
//!
//! What is *not* here: when to trace or to drop (`mark.rs`, `sweep.rs`).

use super::handle::AnyGc;
use super::layout::{HEADER_BYTES, Shape, payload_offset};
use super::mark::drain;
use super::parts::{self, CardState};
use super::watch::Born;
use crate::observe::Kind;
use crate::trace::{Describer, Trace, Tracer};
use std::alloc::Layout;
use std::any::{TypeId, type_name};
use std::fmt;
use std::ptr::{self, NonNull};

/// What a [`Heap`](crate::Heap) can hold: any `T: Trace + 'static`, slices `[T]` of such, and `str`.
///
/// The trait cannot be implemented from outside; [`Trace`] is the one to implement.
///
/// # Examples
///
/// A function over any kind of handle:
///
/// ```
/// use tumulus_heap::{Gc, Heap, Object};
///
/// fn all_alive<T: Object + ?Sized>(heap: &Heap, handles: &[Gc<T>]) -> bool {
///     handles.iter().all(|&gc| heap.contains(gc))
/// }
///
/// let mut heap = Heap::new();
/// let word = heap.alloc_str("mound");
/// assert!(all_alive(&heap, &[word]));
/// ```
pub trait Object: Trace + Cell + 'static {}

impl<T: Trace + Cell + ?Sized + 'static> Object for T {}

/// The hidden half of [`Object`].
///
/// # Safety
///
/// `payload` gives the address of the value that a filled cell of this type holds; `INFO` describes this type.
#[doc(hidden)]
pub unsafe trait Cell {
    /// The type, erased.
    const INFO: &'static TypeInfo;

    /// Where the value of a cell is.
    ///
    /// # Safety
    ///
    /// `cell` is a cell that holds a value of this type (I5).
    unsafe fn payload(cell: NonNull<u8>) -> NonNull<Self>;

    /// The size of the value of a cell, by what the cell says of it.
    ///
    /// # Safety
    ///
    /// As for `payload`, but that the length of a slice may be wrong.
    unsafe fn value_bytes(cell: NonNull<u8>) -> usize;

    /// The block of an outline cell and its layout, if the cell is one that owns a block.
    ///
    /// # Safety
    ///
    /// `cell` is a cell that holds, or held last, a value of this type.
    unsafe fn block(cell: NonNull<u8>) -> Option<Block>;

    /// Traces a part of the value, and says which part is next. All but long slices have one part, number 0.
    ///
    /// # Safety
    ///
    /// `cell` is a cell that holds a value of this type, to which nobody has an exclusive reference.
    unsafe fn trace_part(cell: NonNull<u8>, number: u32, tracer: &mut Tracer<'_>) -> Option<u32>;

    /// Traces what belongs to a card of a long slice; nothing if it has no such card.
    ///
    /// # Safety
    ///
    /// As for `trace_part`.
    unsafe fn trace_card(cell: NonNull<u8>, number: u32, tracer: &mut Tracer<'_>);

    /// Changes a card of a long slice, and says what it was; `None` if it has no such card.
    ///
    /// # Safety
    ///
    /// As for `trace_part`.
    unsafe fn replace_card(cell: NonNull<u8>, number: u32, to: CardState) -> Option<CardState>;

    /// How many elements a slice has; none, if it is something else.
    ///
    /// # Safety
    ///
    /// As for `trace_part`.
    unsafe fn elements(_cell: NonNull<u8>) -> u32 {
        0
    }

    /// Traces an element of a slice; nothing if it has no such element, or is no slice.
    ///
    /// # Safety
    ///
    /// As for `trace_part`.
    unsafe fn trace_element(_cell: NonNull<u8>, _number: u32, _tracer: &mut Tracer<'_>) {}

    /// Prunes an element of a weak table, as [`Trace::prune`] does; nothing if there is no such element.
    ///
    /// # Safety
    ///
    /// `cell` is a cell that holds a value of this type, to which nobody has a reference.
    unsafe fn prune_element(_cell: NonNull<u8>, _number: u32, _is_dead: &dyn Fn(AnyGc) -> bool) {}
}

/// Memory that an outline cell owns, and the layout that it was allocated with.
type Block = (NonNull<u8>, Layout);

/// The four bytes of the header that follow the stamp: the length of a slice, and [`REMEMBERED`].
///
/// # Safety
///
/// `cell` is a cell that holds a value.
#[inline(always)]
pub(super) unsafe fn meta(cell: NonNull<u8>) -> u32 {
    // SAFETY: the header of a cell that holds a value is written whole.
    unsafe { cell.cast::<u32>().add(1).read() }
}

/// The length that `meta` has where the value lies in a block of its own: no inline slice is as long.
pub(super) const OUTLINE_LEN: u32 = REMEMBERED - 1;

/// The bit of `meta` that says that the object is on the list of those that were written to (`remember.rs`). It means
/// nothing in a free cell.
pub(super) const REMEMBERED: u32 = 1 << 31;

/// The length of an inline slice, or [`OUTLINE_LEN`].
///
/// # Safety
///
/// As for [`meta`].
#[inline(always)]
unsafe fn len(cell: NonNull<u8>) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { meta(cell) & !REMEMBERED }
}

/// What an outline cell holds after its header.
#[derive(Copy, Clone)]
#[repr(C)]
pub(super) struct Outline {
    pub(super) block: NonNull<u8>,
    /// Elements of a slice; 1 for a sized value.
    pub(super) len: usize,
}

impl Outline {
    /// # Safety
    ///
    /// `cell` is an outline cell that holds a value, or held one last.
    #[inline(always)]
    unsafe fn of(cell: NonNull<u8>) -> Outline {
        // SAFETY: an outline cell has its `Outline` behind the header, aligned to 8.
        unsafe { cell.add(HEADER_BYTES).cast::<Outline>().read() }
    }
}

/// The shape of a cell for one `T`.
pub(super) const fn shape_of<T>() -> Shape {
    Shape::of(Layout::new::<T>())
}

// SAFETY: `payload` follows the shape that `Store::fill` writes by; `INFO` is made from `Self`.
unsafe impl<T: Trace + 'static> Cell for T {
    const INFO: &'static TypeInfo = &TypeInfo::of::<T>(std::mem::needs_drop::<T>());

    #[inline(always)]
    unsafe fn payload(cell: NonNull<u8>) -> NonNull<T> {
        if const { shape_of::<T>().is_outline() } {
            // SAFETY: all cells of this type are outline cells, and this one holds a value.
            unsafe { Outline::of(cell).block.cast() }
        } else {
            // SAFETY: the payload of an inline cell is at this offset, inside the cell.
            unsafe { cell.add(payload_offset(align_of::<T>())).cast() }
        }
    }

    unsafe fn value_bytes(_cell: NonNull<u8>) -> usize {
        size_of::<T>()
    }

    unsafe fn block(cell: NonNull<u8>) -> Option<Block> {
        if const { shape_of::<T>().is_outline() } {
            // SAFETY: all cells of this type are outline cells.
            let outline = unsafe { Outline::of(cell) };
            owned_block(outline.block, Layout::new::<T>())
        } else {
            None
        }
    }

    #[inline(always)]
    unsafe fn trace_part(cell: NonNull<u8>, _number: u32, tracer: &mut Tracer<'_>) -> Option<u32> {
        // SAFETY: the caller's promise.
        unsafe { Self::payload(cell).as_ref() }.trace(tracer);
        None
    }

    unsafe fn trace_card(_cell: NonNull<u8>, _number: u32, _tracer: &mut Tracer<'_>) {}

    unsafe fn replace_card(_cell: NonNull<u8>, _number: u32, _to: CardState) -> Option<CardState> {
        None
    }
}

// SAFETY: `payload` follows the shape that `Store::put_slice` writes by; `INFO` is made from `Self`.
unsafe impl<T: Trace + 'static> Cell for [T] {
    const INFO: &'static TypeInfo = &TypeInfo::of::<[T]>(std::mem::needs_drop::<T>());

    #[inline(always)]
    unsafe fn payload(cell: NonNull<u8>) -> NonNull<[T]> {
        // SAFETY: the cell holds a value, so its header is whole; what the header says of the place holds.
        unsafe {
            let len = len(cell);
            if len == OUTLINE_LEN {
                let outline = Outline::of(cell);
                NonNull::slice_from_raw_parts(outline.block.cast(), outline.len)
            } else {
                let first = cell.add(payload_offset(align_of::<T>())).cast();
                NonNull::slice_from_raw_parts(first, len as usize)
            }
        }
    }

    unsafe fn value_bytes(cell: NonNull<u8>) -> usize {
        // SAFETY: the caller's promise; no reference is made, so that a wrong length does no harm.
        size_of::<T>().saturating_mul(unsafe { Self::payload(cell) }.len())
    }

    unsafe fn block(cell: NonNull<u8>) -> Option<Block> {
        // SAFETY: as in `payload`; the layout is the one that the block was allocated with.
        unsafe {
            if len(cell) != OUTLINE_LEN {
                return None;
            }
            let outline = Outline::of(cell);
            owned_block(outline.block, parts::block_layout::<T>(outline.len)?)
        }
    }

    #[inline(always)]
    unsafe fn trace_part(cell: NonNull<u8>, number: u32, tracer: &mut Tracer<'_>) -> Option<u32> {
        // SAFETY: the caller's promise.
        let slice = unsafe { Self::payload(cell).as_ref() };
        if !parts::has_cards::<T>(slice.len()) {
            slice.trace(tracer);
            return None;
        }
        slice[parts::elements_of_part(number, slice.len())].trace(tracer);
        Some(number + 1).filter(|&next| (next as usize) < parts::parts(slice.len()))
    }

    unsafe fn trace_card(cell: NonNull<u8>, number: u32, tracer: &mut Tracer<'_>) {
        // SAFETY: the caller's promise.
        let slice = unsafe { Self::payload(cell).as_ref() };
        slice[parts::elements_of_card(number, slice.len())].trace(tracer);
    }

    unsafe fn replace_card(cell: NonNull<u8>, number: u32, to: CardState) -> Option<CardState> {
        // SAFETY: the cell holds a value. A slice with cards is in a block, which has the layout that goes with them, and
        // in which they were cleared when it was made.
        unsafe {
            if len(cell) != OUTLINE_LEN {
                return None;
            }
            let Outline { block, len } = Outline::of(cell);
            let exists = parts::has_cards::<T>(len) && (number as usize) < parts::cards(len);
            exists.then(|| parts::replace_card::<T>(block, len, number, to))
        }
    }

    unsafe fn elements(cell: NonNull<u8>) -> u32 {
        // SAFETY: the caller's promise. No reference is made.
        u32::try_from(unsafe { Self::payload(cell) }.len()).unwrap_or(u32::MAX)
    }

    unsafe fn trace_element(cell: NonNull<u8>, number: u32, tracer: &mut Tracer<'_>) {
        // SAFETY: the caller's promise.
        let slice = unsafe { Self::payload(cell).as_ref() };
        if let Some(element) = slice.get(number as usize) {
            element.trace(tracer);
        }
    }

    unsafe fn prune_element(cell: NonNull<u8>, number: u32, is_dead: &dyn Fn(AnyGc) -> bool) {
        // SAFETY: the caller's promise.
        let slice = unsafe { Self::payload(cell).as_mut() };
        if (number as usize) < slice.len() {
            T::prune(slice, number as usize, is_dead);
        }
    }
}

// SAFETY: a `str` is stored as the slice of its bytes; only `Store::put_str` makes one, from a `str`.
unsafe impl Cell for str {
    const INFO: &'static TypeInfo = &TypeInfo::of::<str>(false);

    #[inline(always)]
    unsafe fn payload(cell: NonNull<u8>) -> NonNull<str> {
        // SAFETY: as for `[u8]`. The pointer cast keeps address and length, and the bytes are UTF-8.
        unsafe { NonNull::new_unchecked(<[u8]>::payload(cell).as_ptr() as *mut str) }
    }

    unsafe fn value_bytes(cell: NonNull<u8>) -> usize {
        // SAFETY: as for `[u8]`.
        unsafe { <[u8]>::value_bytes(cell) }
    }

    unsafe fn block(cell: NonNull<u8>) -> Option<Block> {
        // SAFETY: as for `[u8]`.
        unsafe { <[u8]>::block(cell) }
    }

    unsafe fn trace_part(_cell: NonNull<u8>, _number: u32, _tracer: &mut Tracer<'_>) -> Option<u32> {
        None
    }

    unsafe fn trace_card(_cell: NonNull<u8>, _number: u32, _tracer: &mut Tracer<'_>) {}

    unsafe fn replace_card(_cell: NonNull<u8>, _number: u32, _to: CardState) -> Option<CardState> {
        None
    }
}

/// A block of no bytes is an address without an allocation.
fn owned_block(block: NonNull<u8>, layout: Layout) -> Option<Block> {
    (layout.size() > 0).then_some((block, layout))
}

/// A type of object, erased: what the collector knows of the cells of a page.
pub struct TypeInfo {
    pub(super) id: TypeId,
    pub(super) name: fn() -> &'static str,
    /// The name of a type of replicas (`replica.rs`).
    pub(super) label: Option<&'static str>,
    /// Whether a value may contain handles.
    pub(super) has_edges: bool,
    /// Whether a value has a destructor.
    pub(super) needs_drop: bool,
    /// Whether values are weak tables.
    pub(super) is_weak: bool,
    /// Traces the value of a cell. Safety: the cell holds a value of this type.
    pub(super) trace: unsafe fn(NonNull<u8>, &mut Tracer<'_>),
    /// Describes the value of a cell. Safety: as for `trace`.
    pub(super) describe: unsafe fn(NonNull<u8>, &mut Describer<'_>),
    /// Traces a part of the value of a cell, as [`Cell::trace_part`].
    pub(super) trace_part: unsafe fn(NonNull<u8>, u32, &mut Tracer<'_>) -> Option<u32>,
    /// Traces a card of a cell, as [`Cell::trace_card`].
    pub(super) trace_card: unsafe fn(NonNull<u8>, u32, &mut Tracer<'_>),
    /// Changes a card of a cell, as [`Cell::replace_card`].
    pub(super) replace_card: unsafe fn(NonNull<u8>, u32, CardState) -> Option<CardState>,
    /// The elements of a cell, as [`Cell::elements`].
    pub(super) elements: unsafe fn(NonNull<u8>) -> u32,
    /// Traces an element of a cell, as [`Cell::trace_element`].
    pub(super) trace_element: unsafe fn(NonNull<u8>, u32, &mut Tracer<'_>),
    /// Prunes an element of a cell, as [`Cell::prune_element`].
    pub(super) prune: unsafe fn(NonNull<u8>, u32, &dyn Fn(AnyGc) -> bool),
    /// Traces a marked cell and then, as long as there are more of this type, what is next on the worklist.
    pub(super) drain: super::mark::Drain,
    /// Drops the value of a cell in place. Safety: the cell held a value of this type that is now dead to everybody.
    pub(super) drop_value: unsafe fn(NonNull<u8>),
    /// The block of a cell, as [`Cell::block`].
    pub(super) block: unsafe fn(NonNull<u8>) -> Option<Block>,
    /// The size of the value of a cell, as [`Cell::value_bytes`].
    pub(super) value_bytes: unsafe fn(NonNull<u8>) -> usize,
}

impl TypeInfo {
    const fn of<T: Object + ?Sized>(needs_drop: bool) -> TypeInfo {
        TypeInfo {
            id: TypeId::of::<T>(),
            name: type_name::<T>,
            label: None,
            has_edges: T::HAS_EDGES,
            needs_drop,
            is_weak: T::IS_WEAK,
            trace: trace_cell::<T>,
            describe: describe_cell::<T>,
            trace_part: T::trace_part,
            trace_card: T::trace_card,
            replace_card: T::replace_card,
            elements: T::elements,
            trace_element: T::trace_element,
            prune: T::prune_element,
            drain: drain::<T>,
            drop_value: drop_cell::<T>,
            block: T::block,
            value_bytes: T::value_bytes,
        }
    }

    /// The type's identity.
    #[inline(always)]
    pub(crate) fn id(&self) -> TypeId {
        self.id
    }

    /// What the collector knows of the type.
    pub(crate) fn kind(&self) -> Kind {
        Kind { has_edges: self.has_edges, needs_drop: self.needs_drop, is_weak: self.is_weak }
    }

    /// Whether an object is a slice that is scanned in parts.
    pub(crate) fn is_scanned_in_parts(&self, object: &Born) -> bool {
        self.has_edges && object.value_bytes > 0 && parts::is_long(object.elements as usize)
    }

    /// The type's name, as the compiler writes it.
    pub(crate) fn name(&self) -> &'static str {
        self.label.unwrap_or_else(self.name)
    }

    /// Whether its objects are replicas.
    pub(super) fn is_replica(&self) -> bool {
        self.label.is_some()
    }
}

impl fmt::Debug for TypeInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypeInfo").field("name", &self.name()).finish_non_exhaustive()
    }
}

/// # Safety
///
/// The cell holds a `T`, and nobody has an exclusive reference to it.
unsafe fn trace_cell<T: Object + ?Sized>(cell: NonNull<u8>, tracer: &mut Tracer<'_>) {
    // SAFETY: the caller's promise.
    unsafe { T::payload(cell).as_ref() }.trace(tracer);
}

/// # Safety
///
/// The cell holds a `T`, and nobody has an exclusive reference to it.
unsafe fn describe_cell<T: Object + ?Sized>(cell: NonNull<u8>, describer: &mut Describer<'_>) {
    // SAFETY: the caller's promise.
    unsafe { T::payload(cell).as_ref() }.describe(describer);
}

/// # Safety
///
/// The cell held a `T` that is now dead to everybody but the caller.
unsafe fn drop_cell<T: Object + ?Sized>(cell: NonNull<u8>) {
    // SAFETY: the caller's promise: nobody else reads, writes or drops the value.
    unsafe { ptr::drop_in_place(T::payload(cell).as_ptr()) }
}
