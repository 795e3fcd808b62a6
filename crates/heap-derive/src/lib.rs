#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

use proc_macro::TokenStream;

mod derive;

/// Implements `tumulus_heap::Trace` for a struct or an enum, by tracing each field.
///
/// # Attributes
///
/// - `#[trace(skip)]` on a field or a variant leaves it out. The field's type need not be `Trace` then. A handle in it is
///   not seen by the collector.
/// - `#[trace(edges)]` on the type says that it may contain handles, instead of finding out from its fields. Two types
///   that own values of each other (through a `Vec`, say) need it on one of them.
/// - `#[trace(bound = "T: MyTrait")]` on the type replaces the bounds `T: Trace` that each type parameter gets otherwise.
///
/// - `#[trace(describe = "function")]` on the type calls the function with the value and a `Describer` when a snapshot is made,
///   before the fields are described: to name the object, to say its kind, or to add to its size.
///
/// A union is refused, as is an attribute that is not one of these.
///
/// # Examples
///
/// ```
/// use tumulus_heap::{Gc, Heap, Trace};
///
/// #[derive(Trace)]
/// enum Shape<T: 'static> {
///     Named(Gc<str>),
///     Group { members: Vec<Gc<Shape<T>>>, data: T },
///     #[trace(skip)]
///     Foreign(std::thread::ThreadId),
/// }
///
/// let mut heap = Heap::new();
/// let name = heap.alloc_str("circle");
/// let circle = heap.alloc(Shape::<u8>::Named(name));
/// let group = heap.alloc(Shape::Group { members: vec![circle], data: 7 });
/// heap.collect(&group); // the group leads to the circle, and that to its name
/// assert_eq!(&heap[name], "circle");
/// ```
#[proc_macro_derive(Trace, attributes(trace))]
pub fn derive_trace(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    derive::trace(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
