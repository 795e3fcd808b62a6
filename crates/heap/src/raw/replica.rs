//! Replicas: objects that look to the collector like those of another program.
//!
//! A recorded program is done again without its types: what decides when collections happen, and what they cost, is the size
//! of each object's cell and block, whether its type has handles and destructors, and the edges. A replica has all of that,
//! and nothing else. Its type is made at run time ([`Store::new_replica_type`]), so that each recorded type has pages of its
//! own.
//!
//! ```text
//! no handles          | header | nothing that is read ...
//! handles             | header | word | word | ...                          a word is a handle or none
//!   in a block        | header | block, bytes | elements: u32, words of each: u32 |      the words are in the block
//! and a destructor    | header | box with the handles | ...                 in the block, if there is one
//! ```
//!
//! A slice that is scanned in parts has its cards behind its words.
//!
//! Invariant **I11**: a cell of a page whose type [`is_replica`](TypeInfo::is_replica) was written by [`Store::put_replica`], in
//! the flavour of the type. Nobody else can: the `TypeId` is that of a [`Marker`], which has no values, so that no handle is
//! ever a `Gc` of it, and the typed ways into a page ask for the `TypeId`.

use super::handle::AnyGc;
use super::layout::{GRANULE, HEADER_BYTES, Shape, page_of};
use super::mark::{any_marker, cell, put_aside};
use super::object::{OUTLINE_LEN, Outline, REMEMBERED, TypeInfo, meta};
use super::parts::{self, CardState, Part};
use super::store::Store;
use crate::error::AllocErrorKind;
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
pub(crate) const MOST_TYPES: usize = 16 * 16 * 16;

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

/// What a replica has beside its size.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Flavour {
    Leaf,
    Words,
    Boxed,
}

/// A handle, or none.
type Word = Option<AnyGc>;

/// The handles of an object with a destructor.
type Boxed = Box<Vec<AnyGc>>;

/// What an outline cell of a replica has behind its [`Outline`], whose length is that of the block in bytes.
#[derive(Copy, Clone)]
#[repr(C)]
struct Long {
    /// The elements of a slice that is scanned in parts; else 0.
    elements: u32,
    words_each: u32,
}

const LONG_OFFSET: usize = HEADER_BYTES + size_of::<Outline>();
const _: () = assert!(LONG_OFFSET + size_of::<Long>() <= 2 * GRANULE);

/// The size and form of a replica.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Form {
    /// The size of the cell, in granules.
    pub(crate) granules: u8,
    /// The size of the block, if it has one.
    pub(crate) block: Option<usize>,
    /// Elements, and words of each, of a slice that is scanned in parts.
    pub(crate) long: Option<(u32, u32)>,
}

impl TypeInfo {
    fn flavour(&self) -> Flavour {
        match (self.has_edges, self.needs_drop) {
            (false, _) => Flavour::Leaf,
            (true, false) => Flavour::Words,
            (true, true) => Flavour::Boxed,
        }
    }
}

/// What makes a replica impossible.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// There is no such object: its parts do not fit its size.
    Form,
    /// It could not be allocated.
    Refused(AllocErrorKind),
}

impl Store {
    /// Makes a type of replicas, and says its number. `None` if there are too many.
    pub(crate) fn new_replica_type(&mut self, name: &str, kind: Kind) -> Option<usize> {
        let number = self.replica_types.len();
        self.replica_types.push(replica_type(number, name, kind)?);
        Some(number)
    }

    /// Makes a replica without edges.
    pub(crate) fn put_replica(&mut self, number: usize, form: Form) -> Result<AnyGc, Unfit> {
        let info = *self.replica_types.get(number).ok_or(Unfit::Form)?;
        let flavour = info.flavour();
        let (elements, words_each) = form.long.unwrap_or((0, 0));
        if let Some(bytes) = form.block {
            let cards = if elements == 0 { 0 } else { parts::cards(elements as usize).div_ceil(64) };
            let words = (elements as usize).checked_mul(words_each as usize).and_then(|words| words.checked_add(cards));
            let fits = words.and_then(|words| words.checked_mul(8)).is_some_and(|needed| needed <= bytes);
            let has_place = flavour != Flavour::Boxed || bytes >= size_of::<Boxed>();
            let is_long_rightly = elements == 0 || (flavour == Flavour::Words && parts::is_long(elements as usize));
            if !fits || !has_place || !is_long_rightly {
                return Err(Unfit::Form);
            }
        } else if elements != 0 {
            return Err(Unfit::Form);
        }
        let shape = match form.block {
            Some(_) => Shape::OUTLINE,
            None => Shape::of_granules(form.granules).ok_or(Unfit::Form)?,
        };
        let vacancy = self.vacancy(info, shape).map_err(Unfit::Refused)?;
        let place = {
            // SAFETY: a vacancy is inside the cage.
            unsafe { cell(self.cage, vacancy.index) }
        };
        let (payload, bytes, meta) = if let Some(bytes) = form.block {
            let layout = block_layout(bytes).ok_or(Unfit::Form)?;
            let block = self.block(layout).map_err(Unfit::Refused)?;
            // SAFETY: an outline cell has two granules, which is room for both behind its header. It is free.
            unsafe {
                place.add(HEADER_BYTES).cast().write(Outline { block, len: bytes });
                place.add(LONG_OFFSET).cast().write(Long { elements, words_each });
            }
            self.note_block(vacancy, bytes as u64);
            (block, bytes, OUTLINE_LEN)
        } else {
            let bytes = shape.cell_bytes() - HEADER_BYTES;
            // SAFETY: the payload of an inline cell is right behind its header.
            (unsafe { place.add(HEADER_BYTES) }, bytes, (bytes / size_of::<Word>()) as u32)
        };
        // SAFETY: the payload has so many bytes, is aligned to eight, and is nobody's yet. Zeros are words that are none, and
        // cards that are clear.
        unsafe {
            match flavour {
                Flavour::Leaf => {}
                Flavour::Words => payload.write_bytes(0, bytes),
                Flavour::Boxed => payload.cast::<Boxed>().write(Boxed::default()),
            }
        }
        // SAFETY: the vacancy is for this type and shape, and nothing has happened to the store since but that a block was
        // counted. The payload is written in the flavour of the type (I11), and `meta` goes with it.
        Ok(AnyGc::new(unsafe { self.commit(vacancy, shape, meta) }))
    }

    /// Replaces the edges of a replica; false if it is dead, none, or has no room for them.
    pub(crate) fn set_replica_edges(&mut self, object: AnyGc, edges: &[AnyGc]) -> bool {
        let Some((place, flavour)) = self.replica_at(object) else { return false };
        match flavour {
            Flavour::Leaf => edges.is_empty(),
            Flavour::Words => {
                // SAFETY: a replica with words (I11), to which there is no reference, as the store is borrowed exclusively (I8).
                let words = unsafe { words(place).as_mut() };
                let count = edges.len().min(words.len());
                words.fill(None);
                words.iter_mut().zip(edges).for_each(|(word, &edge)| *word = Some(edge));
                count == edges.len()
            }
            Flavour::Boxed => {
                // SAFETY: a replica with a box (I11), and as above.
                let boxed = unsafe { payload(place).cast::<Boxed>().as_mut() };
                boxed.clear();
                boxed.extend_from_slice(edges);
                true
            }
        }
    }

    /// Replaces the edges of one element of a long replica; false if there is no such element, or no room.
    pub(crate) fn set_replica_element(&mut self, object: AnyGc, element: u32, edges: &[AnyGc]) -> bool {
        let Some((place, Flavour::Words)) = self.replica_at(object) else { return false };
        // SAFETY: as in `set_replica_edges`.
        let words = unsafe { words(place).as_mut() };
        // SAFETY: a replica (I11).
        let range = unsafe { words_of(place, element..element.saturating_add(1)) };
        let Some(words) = words.get_mut(range).filter(|words| words.len() >= edges.len()) else { return false };
        words.fill(None);
        words.iter_mut().zip(edges).for_each(|(word, &edge)| *word = Some(edge));
        true
    }

    /// Notes that a replica, or some of its elements, is written to, as the barrier does.
    pub(crate) fn touch_replica(&mut self, object: AnyGc, elements: Option<Range<usize>>) {
        if self.replica_at(object).is_none() {
            return;
        }
        match elements {
            None => self.before_write(object.handle()),
            Some(elements) => self.before_write_to_elements(object.handle(), &elements),
        }
    }

    fn replica_at(&self, object: AnyGc) -> Option<(NonNull<u8>, Flavour)> {
        let info = self.type_of(object.handle()).filter(|info| info.is_replica())?;
        // SAFETY: the index of a handle is inside the cage (I2).
        Some((unsafe { cell(self.cage, object.handle().index()) }, info.flavour()))
    }
}

/// The `nth` type of replicas of some heap. Types are never freed, as pages refer to them, but made once for all heaps that
/// want the same.
fn replica_type(nth: usize, name: &str, kind: Kind) -> Option<&'static TypeInfo> {
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

/// The layout of a block of so many bytes.
fn block_layout(bytes: usize) -> Option<Layout> {
    Layout::from_size_align(bytes, 16).ok()
}

/// # Safety
///
/// `cell` holds a replica.
unsafe fn outline(cell: NonNull<u8>) -> Option<(Outline, Long)> {
    // SAFETY: the header of a cell that holds something is whole, and one with this length has both behind it (I11).
    unsafe {
        let is_outline = meta(cell) & !REMEMBERED == OUTLINE_LEN;
        is_outline.then(|| (cell.add(HEADER_BYTES).cast().read(), cell.add(LONG_OFFSET).cast().read()))
    }
}

/// Where the words or the box of a replica are.
///
/// # Safety
///
/// `cell` holds a replica.
unsafe fn payload(cell: NonNull<u8>) -> NonNull<u8> {
    // SAFETY: the caller's promise; the payload of an inline cell is behind its header.
    unsafe { outline(cell).map_or_else(|| cell.add(HEADER_BYTES), |(outline, _)| outline.block) }
}

/// The words of a replica.
///
/// # Safety
///
/// `cell` holds a replica of the flavour `Words`.
unsafe fn words(cell: NonNull<u8>) -> NonNull<[Word]> {
    // SAFETY: the caller's promise: so many words were written (I11).
    unsafe {
        let count = match outline(cell) {
            None => (meta(cell) & !REMEMBERED) as usize,
            Some((outline, Long { elements: 0, .. })) => outline.len / size_of::<Word>(),
            Some((_, long)) => long.elements as usize * long.words_each as usize,
        };
        NonNull::slice_from_raw_parts(payload(cell).cast(), count)
    }
}

/// Where the words of some elements are.
///
/// # Safety
///
/// `cell` holds a replica.
unsafe fn words_of(cell: NonNull<u8>, elements: Range<u32>) -> Range<usize> {
    // SAFETY: the caller's promise.
    let long = unsafe { outline(cell) }.map_or(Long { elements: 0, words_each: 0 }, |(_, long)| long);
    let at = |element: u32| element.min(long.elements) as usize * long.words_each as usize;
    at(elements.start)..at(elements.end)
}

/// The word of the cards with this one, if there is such a card.
///
/// # Safety
///
/// `cell` holds a replica of the flavour `Words`.
unsafe fn card_word(cell: NonNull<u8>, number: u32) -> Option<NonNull<u64>> {
    // SAFETY: the cards are behind the words, in the same block, which has room for them (I11); they are as many as the
    // elements want.
    unsafe {
        let (_, long) = outline(cell)?;
        if number as usize >= parts::cards(long.elements as usize) {
            return None;
        }
        let words = words(cell);
        Some(words.cast::<u64>().add(words.len() + number as usize / 64))
    }
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
