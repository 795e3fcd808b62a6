//! Registries of values that are handed out when an object has died.

use crate::error::{AllocError, HandleError};
use crate::heap::Heap;
use crate::raw::{AnyGc, Gc};
use crate::trace::{Describer, Each, Trace, Tracer};
use crate::weak::table::Table;
use crate::weak::watched::{self, State, Watched};
use std::fmt;
use thiserror::Error;

/// The fewest records that a registry has room for, unless it has none.
const LEAST_RECORDS: usize = 8;

/// Hands out a value for each registered object that has died: ECMAScript's `FinalizationRegistry`.
///
/// An object, the *target*, is [registered](Gc::register) with a *held value*, by which the program knows what has died,
/// as the object itself is gone by then. When a collection has found the target dead, the held value waits in a queue, first
/// in first out, until the program [takes](Gc::take_dead) it. So what the program does about a death, it does when it likes,
/// with the heap at hand: it may allocate, collect, and register more objects.
///
/// The registry keeps the held values alive, and neither the targets nor the tokens. A registry that dies takes its values
/// with it: nobody asks for them any more.
///
/// It is an object in the heap, made by [`Heap::alloc`]; its methods are on its handle. [`Heap::on_death`] is the same for
/// numbers, and needs no object.
///
/// # What it costs
///
/// 32 bytes for each target, and a held value; up to twice that, as room is kept for more; with a token 24 more. A full
/// collection looks at each target, in its slices, and a minor one at those that were registered since the last. Registering
/// takes a place in a slab, and moves all of it to a larger one when it is full.
///
/// # Examples
///
/// ```
/// use tumulus_heap::{FinalizationRegistry, Heap};
///
/// let mut heap = Heap::new();
/// let files = heap.alloc(FinalizationRegistry::<u32>::new());
/// let file = heap.alloc("a file, as the program sees it");
/// files.register(&mut heap, file, 3, None)?;
///
/// heap.collect(&(files, file));
/// assert_eq!(files.take_dead(&mut heap), None);
/// heap.collect(&files);
/// while let Some(descriptor) = files.take_dead(&mut heap) {
///     assert_eq!(descriptor, 3); // to be closed
/// }
/// # Ok::<(), tumulus_heap::RegisterError<u32>>(())
/// ```
pub struct FinalizationRegistry<H: Trace + 'static> {
    /// None as long as nothing was registered.
    records: Option<Records<H>>,
    /// For each token, the newest of its records.
    tokens: Table<u32>,
    /// The first free record, 0 if there is none.
    free: u32,
}

/// The slices of a registry, of one length.
struct Records<H: Trace + 'static> {
    watched: Gc<[Watched]>,
    held: Gc<[Option<Held<H>>]>,
}

/// What belongs to a record beside its target.
#[derive(Debug)]
struct Held<H> {
    value: H,
    token: Option<Token>,
}

/// A token, which is not kept alive.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
struct Token(AnyGc);

impl Trace for Token {
    const HAS_EDGES: bool = false;

    fn trace(&self, _tracer: &mut Tracer<'_>) {}
}

impl<H: Trace> Trace for Held<H> {
    const HAS_EDGES: bool = H::HAS_EDGES;

    #[inline]
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.value.trace(tracer);
    }

    fn describe(&self, describer: &mut Describer<'_>) {
        self.value.describe(describer);
    }
}

impl<H: Trace + 'static> Copy for Records<H> {}

impl<H: Trace + 'static> Clone for Records<H> {
    fn clone(&self) -> Self {
        *self
    }
}

/// Why a target cannot be registered. The held value is in it.
///
/// # Examples
///
/// ```
/// use tumulus_heap::{FinalizationRegistry, Gc, Heap, RegisterError};
///
/// let mut heap = Heap::new();
/// let registry = heap.alloc(FinalizationRegistry::<Gc<u8>>::new());
/// let target = heap.alloc(1);
/// let error = registry.register(&mut heap, target, target, None).unwrap_err();
/// assert!(matches!(error, RegisterError::HoldsTarget { .. }));
/// assert_eq!(error.into_held(), target);
/// ```
#[derive(Error)]
#[non_exhaustive]
pub enum RegisterError<H> {
    /// The held value is the target, or has a handle to it, which would keep it alive as long as the registry.
    #[error("the held value refers to the target, which would never die: hold what identifies it instead")]
    HoldsTarget {
        /// The held value.
        held: H,
    },
    /// The target or the token is dead, or of another heap.
    #[error("{error}")]
    Stale {
        /// The held value.
        held: H,
        /// What is wrong with which handle.
        error: HandleError,
    },
    /// The registry would have to grow, and cannot.
    #[error("{0}")]
    Alloc(AllocError<H>),
}

impl<H> RegisterError<H> {
    /// The held value that was not registered.
    ///
    /// ```
    /// # use tumulus_heap::{FinalizationRegistry, Heap};
    /// # let mut heap = Heap::new();
    /// let registry = heap.alloc(FinalizationRegistry::new());
    /// let target = heap.alloc(1);
    /// heap.set_limit(0);
    /// let error = registry.register(&mut heap, target, "held", None).unwrap_err();
    /// assert_eq!(error.into_held(), "held");
    /// ```
    pub fn into_held(self) -> H {
        match self {
            RegisterError::HoldsTarget { held } | RegisterError::Stale { held, .. } => held,
            RegisterError::Alloc(error) => error.into_value(),
        }
    }
}

impl<H> fmt::Debug for RegisterError<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RegisterError::HoldsTarget { .. } => f.debug_struct("HoldsTarget").finish_non_exhaustive(),
            RegisterError::Stale { error, .. } => f.debug_struct("Stale").field("error", error).finish_non_exhaustive(),
            RegisterError::Alloc(error) => f.debug_tuple("Alloc").field(error).finish(),
        }
    }
}

impl<H: Trace + 'static> FinalizationRegistry<H> {
    /// A registry without targets, to be put into a heap.
    ///
    /// ```
    /// # use tumulus_heap::{FinalizationRegistry, Heap};
    /// let mut heap = Heap::new();
    /// let registry = heap.alloc(FinalizationRegistry::<String>::new());
    /// assert!(!registry.has_dead(&heap));
    /// ```
    pub const fn new() -> FinalizationRegistry<H> {
        FinalizationRegistry { records: None, tokens: Table::new(), free: 0 }
    }
}

/// The methods of a [`FinalizationRegistry`]. All of them panic if the registry is dead.
impl<H: Trace + 'static> Gc<FinalizationRegistry<H>> {
    /// Registers an object, with a value to be handed out when it has died. One object can be registered any number of times.
    ///
    /// By a token, which is any object, often the target itself, the registration can be
    /// [cancelled](Gc::unregister). Neither the target nor the token is kept alive.
    ///
    /// # Errors
    ///
    /// If the held value refers to the target, if target or token are dead, or if there is no room. The error has the
    /// held value.
    ///
    /// ```
    /// # use tumulus_heap::{FinalizationRegistry, Heap};
    /// # let mut heap = Heap::new();
    /// let registry = heap.alloc(FinalizationRegistry::new());
    /// let target = heap.alloc(1);
    /// registry.register(&mut heap, target, "first", None)?;
    /// registry.register(&mut heap, target, "second", Some(target.erase()))?;
    /// heap.collect(&registry);
    /// assert_eq!(registry.take_dead(&mut heap), Some("first"));
    /// assert_eq!(registry.take_dead(&mut heap), Some("second"));
    /// assert_eq!(registry.take_dead(&mut heap), None);
    /// # Ok::<(), tumulus_heap::RegisterError<&str>>(())
    /// ```
    #[track_caller]
    pub fn register(
        self,
        heap: &mut Heap,
        target: impl Into<AnyGc>,
        held: H,
        token: Option<AnyGc>,
    ) -> Result<(), RegisterError<H>> {
        let target = target.into();
        for (handle, role) in [(Some(target), "target"), (token, "token")] {
            if let Some(handle) = handle.filter(|&handle| !heap.contains(handle)) {
                return Err(RegisterError::Stale { held, error: heap.store.stale(handle.handle(), role) });
            }
        }
        let mut holds_target = false;
        held.trace(&mut Tracer::visiting(&mut Each(|edge| holds_target |= edge == target)));
        if holds_target {
            return Err(RegisterError::HoldsTarget { held });
        }
        match self.try_record(heap, target, token) {
            Ok((records, at)) => {
                heap.slice_mut(records.held, at..=at)[0] = Some(Held { value: held, token: token.map(Token) });
                Ok(())
            }
            Err(error) => Err(RegisterError::Alloc(error.with_value(held).1)),
        }
    }

    /// Makes a record, whose held value is to follow.
    fn try_record(
        self,
        heap: &mut Heap,
        target: AnyGc,
        token: Option<AnyGc>,
    ) -> Result<(Records<H>, usize), AllocError> {
        let records = match heap.get(self).records.filter(|_| heap.get(self).free != 0) {
            Some(records) => records,
            None => self.grow(heap)?,
        };
        let at = heap.get(self).free;
        let mut older = 0;
        if let Some(token) = token {
            let mut tokens = heap.get(self).tokens;
            older = tokens.try_insert(heap, token, at)?.unwrap_or(0);
            heap.get_mut(self).tokens = tokens;
        }
        if older != 0 {
            set(heap, records.watched, older, |record| record.newer = at);
        }
        let place = at as usize;
        let free = heap.slice_mut(records.watched, place..=place)[0].watch(target, older);
        heap.get_mut(self).free = free;
        Ok((records, place))
    }

    /// Moves the records to slices of twice the length.
    #[cold]
    fn grow(self, heap: &mut Heap) -> Result<Records<H>, AllocError> {
        let old = heap.get(self).records;
        let len = old.map_or(0, |old| heap.get(old.watched).len());
        let room = (len * 2).max(LEAST_RECORDS);
        assert!(u32::try_from(room).is_ok(), "a registry of 2^32 targets is larger than any heap");
        let watched = heap.try_alloc_slice_with(room, |_| Watched::default())?;
        let held = heap.try_alloc_slice_with(room, |_| None)?;
        if let Some(old) = old {
            enqueue_dead(heap, old.watched);
            // The new slices are looked at as a whole before the next collection ends, and the old ones are garbage.
            if let Ok([from, to]) = heap.store.get_disjoint_mut([old.watched, watched]) {
                to[..len].copy_from_slice(from);
                from.fill(Watched::default());
            }
            if let Ok([from, to]) = heap.store.get_disjoint_mut([old.held, held]) {
                to.iter_mut().zip(from).for_each(|(to, from)| *to = from.take());
            }
        }
        let free = watched::free_from(heap.get_mut(watched), len.max(watched::ENDS + 1), 0);
        let records = Records { watched, held };
        let registry = heap.get_mut(self);
        (registry.records, registry.free) = (Some(records), free);
        Ok(records)
    }

    /// Cancels all registrations with this token, also those whose targets are dead and whose held values were not taken. True
    /// if there were any.
    ///
    /// ```
    /// # use tumulus_heap::{FinalizationRegistry, Heap};
    /// # let mut heap = Heap::new();
    /// let registry = heap.alloc(FinalizationRegistry::new());
    /// let target = heap.alloc(1);
    /// registry.register(&mut heap, target, "held", Some(target.erase()))?;
    /// assert!(registry.unregister(&mut heap, target));
    /// assert!(!registry.unregister(&mut heap, target));
    /// heap.collect(&registry);
    /// assert_eq!(registry.take_dead(&mut heap), None);
    /// # Ok::<(), tumulus_heap::RegisterError<&str>>(())
    /// ```
    #[track_caller]
    pub fn unregister(self, heap: &mut Heap, token: impl Into<AnyGc>) -> bool {
        let tokens = heap.get(self).tokens;
        let Some(records) = heap.get(self).records else { return false };
        let Some(newest) = tokens.remove(heap, token.into()) else { return false };
        let mut next = newest;
        // These are dropped when the registry is in order, as that may panic.
        let mut cancelled = Vec::new();
        while next != 0 {
            let at = next as usize;
            next = heap.get(records.watched)[at].older;
            cancelled.extend(heap.slice_mut(records.held, at..=at)[0].take());
            match heap.get(records.watched)[at].state() {
                State::Waits => self.release(heap, records, at),
                State::Due => set(heap, records.watched, at as u32, Watched::cancel),
                State::Free | State::Cancelled => {}
            }
        }
        true
    }

    /// The held value of the target that was found dead before all others whose values were not taken.
    ///
    /// ```
    /// # use tumulus_heap::{FinalizationRegistry, Heap};
    /// # let mut heap = Heap::new();
    /// let registry = heap.alloc(FinalizationRegistry::new());
    /// for n in 0..3 {
    ///     let target = heap.alloc(n);
    ///     registry.register(&mut heap, target, n, None)?;
    /// }
    /// heap.collect(&registry);
    /// let mut seen = Vec::new();
    /// while let Some(held) = registry.take_dead(&mut heap) {
    ///     seen.push(held);
    ///     heap.collect(&registry); // if one likes
    /// }
    /// assert_eq!(seen, [0, 1, 2]);
    /// # Ok::<(), tumulus_heap::RegisterError<i32>>(())
    /// ```
    #[track_caller]
    pub fn take_dead(self, heap: &mut Heap) -> Option<H> {
        let records = heap.get(self).records?;
        while watched::has_due(heap.get(records.watched)) {
            // The collector need not know, as what is due has no target any more. It would look at the whole slab each time.
            let (at, state) = watched::dequeue(heap.store.get_mut(records.watched)?)?;
            let held = heap.slice_mut(records.held, at..=at)[0].take();
            if let Some(token) = held.as_ref().and_then(|held| held.token) {
                self.unlink(heap, records, at, token);
            }
            self.release(heap, records, at);
            if let (State::Due, Some(held)) = (state, held) {
                return Some(held.value);
            }
        }
        None
    }

    /// Whether a held value can be taken, or one could that was cancelled since.
    ///
    /// ```
    /// # use tumulus_heap::{FinalizationRegistry, Heap};
    /// # let mut heap = Heap::new();
    /// let registry = heap.alloc(FinalizationRegistry::new());
    /// let target = heap.alloc(1);
    /// registry.register(&mut heap, target, "held", None)?;
    /// assert!(!registry.has_dead(&heap));
    /// heap.collect(&registry);
    /// assert!(registry.has_dead(&heap));
    /// # Ok::<(), tumulus_heap::RegisterError<&str>>(())
    /// ```
    #[track_caller]
    pub fn has_dead(self, heap: &Heap) -> bool {
        heap.get(self).records.is_some_and(|records| watched::has_due(heap.get(records.watched)))
    }

    /// Takes a record out of those of its token.
    fn unlink(self, heap: &mut Heap, records: Records<H>, at: usize, Token(token): Token) {
        let Watched { newer, older, .. } = heap.get(records.watched)[at];
        if older != 0 {
            set(heap, records.watched, older, |record| record.newer = newer);
        }
        if newer != 0 {
            set(heap, records.watched, newer, |record| record.older = older);
            return;
        }
        let tokens = heap.get(self).tokens;
        if older == 0 {
            tokens.remove(heap, token);
        } else if let Some(newest) = tokens.get_mut(heap, token) {
            *newest = older;
        }
    }

    /// Makes a record free that is on no list.
    fn release(self, heap: &mut Heap, records: Records<H>, at: usize) {
        let free = heap.get(self).free;
        set(heap, records.watched, at as u32, |record| record.release(free));
        heap.get_mut(self).free = at as u32;
    }
}

/// Makes the records due whose targets have been found dead, and which the collection that found it has not come to yet.
/// It looks for them where they were, and would not know them where they go.
fn enqueue_dead(heap: &mut Heap, watched: Gc<[Watched]>) {
    if !heap.store.is_pruning() {
        return;
    }
    for at in 0..heap.get(watched).len() {
        let is_dead = heap.get(watched)[at].target().is_some_and(|target| !heap.contains(target));
        if is_dead && let Some(records) = heap.store.get_mut(watched) {
            Watched::prune(records, at, &|_| true);
        }
    }
}

/// Changes a record.
fn set(heap: &mut Heap, watched: Gc<[Watched]>, at: u32, change: impl FnOnce(&mut Watched)) {
    let at = at as usize;
    change(&mut heap.slice_mut(watched, at..=at)[0]);
}

impl<H: Trace + 'static> Default for FinalizationRegistry<H> {
    fn default() -> Self {
        FinalizationRegistry::new()
    }
}

impl<H: Trace + 'static> Trace for FinalizationRegistry<H> {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        if let Some(Records { watched, held }) = self.records {
            tracer.edge(watched);
            tracer.edge(held);
        }
        self.tokens.trace(tracer);
    }

    fn describe(&self, describer: &mut Describer<'_>) {
        if let Some(Records { watched, held }) = self.records {
            describer.field("watched", &watched);
            describer.field("held", &held);
        }
        describer.field("tokens", &self.tokens);
    }
}

impl<H: Trace + 'static> fmt::Debug for FinalizationRegistry<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FinalizationRegistry").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Zeal;

    #[test]
    fn taking_one_has_the_collector_look_at_one_record_and_not_at_the_slab() {
        let mut heap = Heap::builder().zeal(Zeal::none()).build();
        let registry = heap.alloc(FinalizationRegistry::new());
        let targets = 5000;
        for n in 0..targets {
            let target = heap.alloc(n);
            registry.register(&mut heap, target, n, None).unwrap();
        }
        heap.collect(&registry);
        assert_eq!(heap.store.remembered_objects(), 0);
        assert!(registry.take_dead(&mut heap).is_some());
        // The registry, and a card of each slab.
        assert!(heap.store.remembered_objects() <= 3);
        assert_eq!(std::iter::from_fn(|| registry.take_dead(&mut heap)).count(), targets - 1);
    }
}
