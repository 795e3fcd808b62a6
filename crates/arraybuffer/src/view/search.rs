//! Searching.

use super::array::load;
use super::kind::Element;
use super::witness::Witness;
use crate::convert::to_integer_or_infinity;
use tumulus_heap::Heap;

impl Witness {
    /// The first index from `from` on at which there is an element strictly equal to `wanted`.
    ///
    /// The array may have become shorter since it was validated, and has fewer elements then.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{Element, ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Float64, 4)?;
    /// array.set(&mut heap, 2, Element::Number(f64::NAN))?;
    /// let witness = array.validate(&heap, "indexOf")?;
    /// assert_eq!(witness.index_of(&heap, Element::Number(-0.0), 1.0), Some(1));
    /// assert_eq!(witness.index_of(&heap, Element::Number(f64::NAN), 0.0), None);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn index_of(self, heap: &Heap, wanted: Element, from: f64) -> Option<usize> {
        let extent = self.array.extent(heap)?;
        let first = crate::convert::relative_index(from, self.length);
        (first..self.length.min(extent.length)).find(|&index| load(heap, &extent, index) == wanted)
    }

    /// The last index up to `from`, or to the end, at which there is an element strictly equal to `wanted`.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{Element, ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Int8, 4)?;
    /// let witness = array.validate(&heap, "lastIndexOf")?;
    /// assert_eq!(witness.last_index_of(&heap, Element::Number(0.0), None), Some(3));
    /// assert_eq!(witness.last_index_of(&heap, Element::Number(0.0), Some(-3.0)), Some(1));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[allow(clippy::cast_sign_loss, reason = "it is not negative where it is cast")]
    pub fn last_index_of(self, heap: &Heap, wanted: Element, from: Option<f64>) -> Option<usize> {
        let extent = self.array.extent(heap)?;
        let last = self.length.checked_sub(1)?;
        let from = from.map_or(last as f64, to_integer_or_infinity);
        let from = if from < 0.0 { self.length as f64 + from } else { from.min(last as f64) };
        if from < 0.0 {
            return None;
        }
        let end = (from as usize + 1).min(extent.length);
        (0..end).rev().find(|&index| load(heap, &extent, index) == wanted)
    }

    /// Whether one of the elements from `from` on is `wanted`, with NaN being itself. `None` is undefined, which elements are
    /// that are not there any more.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ArrayBuffer, Element, ElementKind, Layout, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let buffer = ArrayBuffer::new(&mut heap, Layout::new(8).max(8))?;
    /// let array = TypedArray::new(&mut heap, ElementKind::Int8, buffer, 0, None)?;
    /// let witness = array.validate(&heap, "includes")?;
    /// assert!(!witness.includes(&heap, None, 0.0));
    /// buffer.resize(&mut heap, 4)?; // the conversion of an argument did this
    /// assert!(witness.includes(&heap, None, 0.0));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn includes(self, heap: &Heap, wanted: Option<Element>, from: f64) -> bool {
        let first = crate::convert::relative_index(from, self.length);
        let extent = self.array.extent(heap);
        let there = extent.map_or(0, |extent| extent.length);
        match (wanted, extent) {
            (None, _) => first.max(there) < self.length,
            (Some(_), None) => false,
            (Some(wanted), Some(extent)) => {
                (first..self.length.min(there)).any(|index| load(heap, &extent, index).is_same(wanted))
            }
        }
    }
}
