//! The types of replicas (`replica.rs`): their identities, and what the collector asks of them.

use super::handle::AnyGc;
use super::layout::page_of;
use super::mark::{any_marker, cell, put_aside};
use super::object::{REMEMBERED, TypeInfo, meta};
use super::parts::{self, CardState, Part};
use super::replica::{Boxed, Flavour, Word, block_layout, card_word, outline, payload, words, words_of};
use crate::observe::Kind;
use crate::trace::{Describer, Trace, Tracer};
use parking_lot::Mutex;
use std::alloc::Layout;
use std::any::TypeId;
use std::marker::PhantomData;
use std::ops::Range;
use std::ptr::{self, NonNull};

/// A type without values, one of 4,096, whose identities are lent to replicas.
struct Marker<const A: u8, const B: u8, const C: u8>(PhantomData<std::convert::Infallible>);

/// How many types of replicas a heap can have.
const MOST_TYPES: usize = 16 * 16 * 16;

/// The identity of the `nth` type of replicas of a heap. Heaps share them, as they share no pages.
fn identity(nth: usize) -> Option<TypeId> {
    macro_rules! pick {
        ($nth:ident / $unit:expr, $function:ident $(, $known:ident)*) => {
            match $nth / $unit % 16 {
                0 => $function::<$($known,)* 0>($nth),
                1 => $function::<$($known,)* 1>($nth),
                2 => $function::<$($known,)* 2>($nth),
                3 => $function::<$($known,)* 3>($nth),
                4 => $function::<$($known,)* 4>($nth),
                5 => $function::<$($known,)* 5>($nth),
                6 => $function::<$($known,)* 6>($nth),
                7 => $function::<$($known,)* 7>($nth),
                8 => $function::<$($known,)* 8>($nth),
                9 => $function::<$($known,)* 9>($nth),
                10 => $function::<$($known,)* 10>($nth),
                11 => $function::<$($known,)* 11>($nth),
                12 => $function::<$($known,)* 12>($nth),
                13 => $function::<$($known,)* 13>($nth),
                14 => $function::<$($known,)* 14>($nth),
                _ => $function::<$($known,)* 15>($nth),
            }
        };
    }
    fn third<const A: u8, const B: u8, const C: u8>(_: usize) -> TypeId {
        TypeId::of::<Marker<A, B, C>>()
    }
    fn second<const A: u8, const B: u8>(nth: usize) -> TypeId {
        pick!(nth / 1, third, A, B)
    }
    fn first<const A: u8>(nth: usize) -> TypeId {
        pick!(nth / 16, second, A)
    }
    (nth < MOST_TYPES).then(|| pick!(nth / 256, first))
}

/// The `nth` type of replicas of some heap. Types are never freed, as pages refer to them, but made once for all heaps that
/// want the same.
pub(super) fn replica_type(nth: usize, name: &str, kind: Kind) -> Option<&'static TypeInfo> {
    static MADE: Mutex<Vec<(usize, &'static TypeInfo)>> = Mutex::new(Vec::new());
    let id = identity(nth)?;
    let mut made = MADE.lock();
    if let Some((_, info)) = made.iter().find(|(n, info)| *n == nth && info.name() == name && info.kind() == kind) {
        return Some(info);
    }
    let label: &'static str = Box::leak(name.into());
    let info: &'static TypeInfo = Box::leak(Box::new(match (kind.has_edges, kind.needs_drop) {
        (false, _) => Functions::<LEAF>::info(id, label, kind),
        (true, false) => Functions::<WORDS>::info(id, label, kind),
        (true, true) => Functions::<BOXED>::info(id, label, kind),
    }));
    made.push((nth, info));
    Some(info)
}

/// The functions of a type of replicas, by its flavour. Each is unsafe as the function of [`TypeInfo`] that it is for.
struct Functions<const FLAVOUR: u8>;

const LEAF: u8 = Flavour::Leaf as u8;
const WORDS: u8 = Flavour::Words as u8;
const BOXED: u8 = Flavour::Boxed as u8;

fn trace_words(words: &[Word], tracer: &mut Tracer<'_>) {
    words.iter().flatten().for_each(|&edge| tracer.edge_as_leaf(edge));
}

impl<const FLAVOUR: u8> Functions<FLAVOUR> {
    /// # Safety
    ///
    /// `cell` holds a replica of this flavour, to which nobody has an exclusive reference.
    unsafe fn trace(cell: NonNull<u8>, tracer: &mut Tracer<'_>) {
        // SAFETY: the caller's promise, and what a replica of this flavour has in its payload (I11).
        unsafe {
            match FLAVOUR {
                WORDS => trace_words(words(cell).as_ref(), tracer),
                BOXED => {
                    payload(cell).cast::<Boxed>().as_ref().iter().for_each(|&edge| tracer.edge_as_leaf(edge));
                }
                _ => {}
            }
        }
    }

    /// # Safety
    ///
    /// As for `trace`.
    unsafe fn describe(cell: NonNull<u8>, describer: &mut Describer<'_>) {
        struct Edges<const FLAVOUR: u8>(NonNull<u8>);
        impl<const FLAVOUR: u8> Trace for Edges<FLAVOUR> {
            fn trace(&self, tracer: &mut Tracer<'_>) {
                // SAFETY: made below, and gone before the borrow of the replica ends.
                unsafe { Functions::<FLAVOUR>::trace(self.0, tracer) }
            }
        }
        describer.traced(&Edges::<FLAVOUR>(cell));
    }

    /// # Safety
    ///
    /// As for `trace`.
    unsafe fn trace_part(cell: NonNull<u8>, number: u32, tracer: &mut Tracer<'_>) -> Option<u32> {
        // SAFETY: the caller's promise; a long replica has words (I11).
        unsafe {
            let elements = Self::elements(cell);
            if elements == 0 {
                Self::trace(cell, tracer);
                return None;
            }
            let part = parts::elements_of_part(number, elements as usize);
            Self::trace_elements(cell, part.start as u32..part.end as u32, tracer);
            Some(number + 1).filter(|&next| (next as usize) < parts::parts(elements as usize))
        }
    }

    /// # Safety
    ///
    /// As for `trace`.
    unsafe fn trace_elements(cell: NonNull<u8>, elements: Range<u32>, tracer: &mut Tracer<'_>) {
        if FLAVOUR == WORDS {
            // SAFETY: the caller's promise.
            unsafe {
                let words = words(cell);
                if let Some(words) = words.as_ref().get(words_of(cell, elements)) {
                    trace_words(words, tracer);
                }
            }
        }
    }

    /// # Safety
    ///
    /// As for `trace`.
    unsafe fn trace_card(cell: NonNull<u8>, number: u32, tracer: &mut Tracer<'_>) {
        // SAFETY: the caller's promise.
        unsafe {
            let card = parts::elements_of_card(number, Self::elements(cell) as usize);
            Self::trace_elements(cell, card.start as u32..card.end as u32, tracer);
        }
    }

    /// # Safety
    ///
    /// As for `trace`.
    unsafe fn trace_element(cell: NonNull<u8>, number: u32, tracer: &mut Tracer<'_>) {
        // SAFETY: the caller's promise.
        unsafe { Self::trace_elements(cell, number..number.saturating_add(1), tracer) }
    }

    /// # Safety
    ///
    /// As for `trace`.
    unsafe fn replace_card(cell: NonNull<u8>, number: u32, to: CardState) -> Option<CardState> {
        if FLAVOUR != WORDS {
            return None;
        }
        // SAFETY: the caller's promise: a word of the cards, which no reference leads to.
        let word = unsafe { card_word(cell, number)?.as_mut() };
        let bit = 1 << (number % 64);
        let before = if *word & bit == 0 { CardState::Clear } else { CardState::Set };
        match to {
            CardState::Set => *word |= bit,
            CardState::Clear => *word &= !bit,
        }
        Some(before)
    }

    /// # Safety
    ///
    /// As for `trace`.
    unsafe fn elements(cell: NonNull<u8>) -> u32 {
        // SAFETY: the caller's promise.
        unsafe { outline(cell) }.map_or(0, |(_, long)| long.elements)
    }

    /// # Safety
    ///
    /// The cell held a replica of this flavour that is dead to everybody but the caller.
    unsafe fn drop_value(cell: NonNull<u8>) {
        if FLAVOUR == BOXED {
            // SAFETY: the caller's promise; it is dropped once.
            unsafe { ptr::drop_in_place(payload(cell).cast::<Boxed>().as_ptr()) }
        }
    }

    /// # Safety
    ///
    /// The cell holds a replica, or held one last.
    unsafe fn block(cell: NonNull<u8>) -> Option<(NonNull<u8>, Layout)> {
        // SAFETY: the caller's promise. The layout is the one that the block was allocated with.
        let (outline, _) = unsafe { outline(cell) }?;
        block_layout(outline.len).filter(|layout| layout.size() > 0).map(|layout| (outline.block, layout))
    }

    /// # Safety
    ///
    /// As for `trace`.
    unsafe fn value_bytes(cell: NonNull<u8>) -> usize {
        // SAFETY: the caller's promise.
        unsafe {
            outline(cell).map_or((meta(cell) & !REMEMBERED) as usize * size_of::<Word>(), |(outline, _)| outline.len)
        }
    }

    /// As [`drain`](super::mark::drain) for any other type.
    ///
    /// # Safety
    ///
    /// `info` is a type of replicas of this flavour; `first` is marked, on a page of `info`; the tracer is marking.
    unsafe fn drain(tracer: &mut Tracer<'_>, info: &'static TypeInfo, first: u32) -> Option<u32> {
        let mut index = first;
        loop {
            let cage = any_marker(tracer).cage;
            // SAFETY: the cell at `index` is inside the cage and holds a replica of this flavour: the page's type is `info`,
            // and the live bit was set when the index was marked (I5, I6). There is no reference into a cell (I8).
            let next_part = unsafe { Self::trace_part(cell(cage, index), 0, tracer) };
            if let Some(number) = next_part {
                put_aside(tracer, Part { index, number });
            }
            let marker = any_marker(tracer);
            index = marker.work.next(cage)?;
            let next_info = marker.pages[page_of(index) as usize].info;
            if !next_info.is_some_and(|next| ptr::eq(next, info)) {
                return Some(index);
            }
        }
    }

    /// The type.
    fn info(id: TypeId, label: &'static str, kind: Kind) -> TypeInfo {
        TypeInfo {
            id,
            name: || "replica",
            label: Some(label),
            has_edges: kind.has_edges,
            needs_drop: kind.needs_drop,
            is_weak: false,
            trace: Self::trace,
            describe: Self::describe,
            trace_part: Self::trace_part,
            trace_card: Self::trace_card,
            replace_card: Self::replace_card,
            elements: Self::elements,
            trace_element: Self::trace_element,
            prune: no_prune,
            drain: Self::drain,
            drop_value: Self::drop_value,
            block: Self::block,
            value_bytes: Self::value_bytes,
        }
    }
}

/// # Safety
///
/// None is needed: it does nothing.
unsafe fn no_prune(_: NonNull<u8>, _: u32, _: &dyn Fn(AnyGc) -> bool) {}
