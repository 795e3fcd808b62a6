//! Strings by their contents: one object for each text, and none that nobody uses.
//!
//! The table is beside the heap and holds weak handles only, so that the collector knows nothing of it. A place whose string
//! has died is found out by whoever comes past, and is used again; when the table is full, it is made anew for those that
//! live. So it has room for a few times as many as there were then, however many have come and gone.

use crate::error::AllocError;
use crate::heap::Heap;
use crate::raw::Gc;
use crate::trace::{Trace, Tracer};
use crate::weak::Weak;
use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

/// A table that has one string in the heap for each text, for as long as it is used.
///
/// Two interned strings have the same text exactly when they are the same object: `a == b` compares handles, in place of
/// texts, and [`Gc::identity_hash`] is as good as a hash of the text. That is what the names of variables and properties
/// want to be, and what a guest's symbols are.
///
/// It keeps no string alive. A string that was found dead by a collection is made anew when its text comes again, which
/// nobody can notice, as nobody had the old one. So a guest that makes up names without end leaves nothing behind.
///
/// A string costs 16 bytes of the table, up to about three times that, beside its object; the table does not count against the
/// heap's limit. To look up a short text takes some tens of nanoseconds, most of them for the hash. The default one is
/// the same in every process; another comes in by [`with_hasher`](Interner::with_hasher).
///
/// # Examples
///
/// ```
/// use tumulus_heap::{Heap, Interner};
///
/// let mut heap = Heap::new();
/// let mut names = Interner::new();
/// let length = names.intern(&mut heap, "length");
/// assert_eq!(names.intern(&mut heap, &["len", "gth"].concat()), length); // the same object
/// assert_ne!(names.intern(&mut heap, "width"), length);
///
/// heap.collect(&length);
/// assert_eq!(names.get(&mut heap, "length"), Some(length));
/// assert_eq!(names.get(&mut heap, "width"), None); // nobody had it
/// ```
pub struct Interner<S = BuildHasherDefault<DefaultHasher>> {
    /// As many as a power of two, or none. A string is at the place that its hash says, or in the next one that was free.
    /// **Invariant:** at least one is free, if there are any.
    places: Vec<Option<Entry>>,
    /// Places that are not free, be their strings alive or dead.
    used: usize,
    hasher: S,
}

#[derive(Copy, Clone)]
struct Entry {
    hash: u32,
    text: Weak<str>,
}

const _: () = assert!(size_of::<Option<Entry>>() == 16);

const LEAST_PLACES: usize = 16;

impl Interner {
    /// An empty table, for one heap: what belongs to another counts as dead.
    ///
    /// ```
    /// let names = tumulus_heap::Interner::new();
    /// assert_eq!(names.capacity(), 0);
    /// ```
    pub fn new() -> Interner {
        Interner::with_hasher(BuildHasherDefault::default())
    }
}

impl<S: BuildHasher> Interner<S> {
    /// An empty table with a hash function of your own: one with a random key where guests are not trusted, or a quicker one
    /// where they are.
    ///
    /// ```
    /// use std::hash::RandomState;
    /// use tumulus_heap::{Heap, Interner};
    ///
    /// let mut heap = Heap::new();
    /// let mut names = Interner::with_hasher(RandomState::new());
    /// assert_eq!(names.intern(&mut heap, "x"), names.intern(&mut heap, "x"));
    /// ```
    pub fn with_hasher(hasher: S) -> Interner<S> {
        Interner { places: Vec::new(), used: 0, hasher }
    }

    /// The string with this text. Never collects.
    ///
    /// # Panics
    ///
    /// If it has to be made and there is no room. See [`try_intern`](Interner::try_intern).
    ///
    /// # Examples
    ///
    /// ```
    /// # use tumulus_heap::{Heap, Interner};
    /// # let mut heap = Heap::new();
    /// let mut names = Interner::new();
    /// let name = names.intern(&mut heap, "name");
    /// assert_eq!(&heap[name], "name");
    /// ```
    #[track_caller]
    pub fn intern(&mut self, heap: &mut Heap, text: &str) -> Gc<str> {
        self.try_intern(heap, text).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The string with this text, if it is there, or there is room for it. Never collects.
    ///
    /// # Errors
    ///
    /// As [`Heap::try_alloc_str`]. The table is as it was.
    ///
    /// # Examples
    ///
    /// A guest's name, made after a collection if need be:
    ///
    /// ```
    /// # use tumulus_heap::{Heap, Interner};
    /// # let mut heap = Heap::builder().limit(1 << 20).build();
    /// # let stack = ();
    /// let mut names = Interner::new();
    /// let name = heap.try_or_collect(&stack, |heap| names.try_intern(heap, "name"))?;
    /// # assert_eq!(&heap[name], "name");
    /// # Ok::<(), tumulus_heap::AllocError>(())
    /// ```
    pub fn try_intern(&mut self, heap: &mut Heap, text: &str) -> Result<Gc<str>, AllocError> {
        let hash = self.hash(text);
        match self.find(heap, hash, text) {
            Found::Text(weak) => Ok(upgraded(weak, heap)),
            Found::Place(place) => {
                let made = heap.try_alloc_str(text)?;
                self.enter(heap, hash, place, made);
                Ok(made)
            }
        }
    }

    /// The string with the same text as this one, which may be this one: it is interned, if none with its text is.
    ///
    /// It is for names that a guest has computed. Takes no memory of the heap, and never collects.
    ///
    /// # Panics
    ///
    /// If the string is dead.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tumulus_heap::{Heap, Interner};
    /// # let mut heap = Heap::new();
    /// let mut names = Interner::new();
    /// let x = names.intern(&mut heap, "x");
    /// let computed = heap.alloc_str("x");
    /// assert_eq!(names.intern_gc(&mut heap, computed), x);
    /// let new = heap.alloc_str("y");
    /// assert_eq!(names.intern_gc(&mut heap, new), new);
    /// assert_eq!(names.intern(&mut heap, "y"), new);
    /// ```
    #[track_caller]
    pub fn intern_gc(&mut self, heap: &mut Heap, text: Gc<str>) -> Gc<str> {
        let hash = self.hash(heap.get(text));
        match self.find(heap, hash, heap.get(text)) {
            Found::Text(weak) => upgraded(weak, heap),
            Found::Place(place) => {
                self.enter(heap, hash, place, text);
                text
            }
        }
    }

    /// The string with this text, if somebody has it. Takes no memory.
    ///
    /// It is for questions, such as whether an object has a property of that name: none has one whose name is not there.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tumulus_heap::{Heap, Interner};
    /// # let mut heap = Heap::new();
    /// let mut names = Interner::new();
    /// assert_eq!(names.get(&mut heap, "x"), None);
    /// let x = names.intern(&mut heap, "x");
    /// assert_eq!(names.get(&mut heap, "x"), Some(x));
    /// ```
    pub fn get(&self, heap: &mut Heap, text: &str) -> Option<Gc<str>> {
        match self.find(heap, self.hash(text), text) {
            Found::Text(weak) => Some(upgraded(weak, heap)),
            Found::Place(_) => None,
        }
    }

    /// How many strings the table has room for.
    ///
    /// ```
    /// # use tumulus_heap::{Heap, Interner};
    /// let mut heap = Heap::new();
    /// let mut names = Interner::new();
    /// for n in 0..10_000 {
    ///     names.intern(&mut heap, &format!("name {n}"));
    ///     heap.collect(&()); // nobody wants to have them
    /// }
    /// assert!(names.capacity() <= 16);
    /// ```
    pub fn capacity(&self) -> usize {
        self.places.len() / 4 * 3
    }

    fn hash(&self, text: &str) -> u32 {
        self.hasher.hash_one(text) as u32
    }

    /// The string with this text, or where it should be put: a place whose string is dead, or the free one at the end.
    fn find(&self, heap: &Heap, hash: u32, text: &str) -> Found {
        let mut dead = None;
        for place in probe(hash, self.places.len()) {
            match self.places[place] {
                None => return Found::Place(dead.or(Some(place))),
                Some(entry) => match entry.text.peek(heap) {
                    Some(known) if entry.hash == hash && heap[known] == *text => return Found::Text(entry.text),
                    None if dead.is_none() => dead = Some(place),
                    _ => {}
                },
            }
        }
        Found::Place(dead)
    }

    /// Puts a string at the place where it was not found, or into a larger table.
    fn enter(&mut self, heap: &Heap, hash: u32, place: Option<usize>, text: Gc<str>) {
        let place = match place {
            Some(place) if self.places[place].is_some() || self.used * 4 < self.places.len() * 3 => place,
            _ => {
                self.rebuild(heap);
                let free = probe(hash, self.places.len()).find(|&place| self.places[place].is_none());
                free.expect("half of them are")
            }
        };
        self.used += usize::from(self.places[place].is_none());
        self.places[place] = Some(Entry { hash, text: text.downgrade() });
    }

    /// Makes the table anew, without what is dead, so that at most half of it is used.
    #[cold]
    #[inline(never)]
    fn rebuild(&mut self, heap: &Heap) {
        let alive: Vec<Entry> = self.places.iter().flatten().copied().filter(|it| it.text.is_alive(heap)).collect();
        let len = ((alive.len() + 1) * 2).next_power_of_two().max(LEAST_PLACES);
        self.places.clear();
        self.places.resize(len, None);
        self.places.shrink_to(2 * len);
        self.used = alive.len();
        for entry in alive {
            let free = probe(entry.hash, len).find(|&place| self.places[place].is_none());
            self.places[free.expect("half of them are")] = Some(entry);
        }
    }
}

/// What a search comes to.
enum Found {
    /// It is alive.
    Text(Weak<str>),
    /// None only in a table without places.
    Place(Option<usize>),
}

/// What was just found alive.
fn upgraded(found: Weak<str>, heap: &mut Heap) -> Gc<str> {
    found.upgrade(heap).expect("nothing dies between two lines")
}

/// The places where a hash may be, in the order of the search: each once.
fn probe(hash: u32, len: usize) -> impl Iterator<Item = usize> {
    (0..len).map(move |step| (hash as usize + step) & (len - 1))
}

/// An interner keeps nothing alive, so that it can be part of a machine's state.
///
/// ```
/// #[derive(tumulus_heap::Trace)]
/// struct Machine {
///     stack: Vec<tumulus_heap::Gc<str>>,
///     names: tumulus_heap::Interner,
/// }
/// ```
impl<S> Trace for Interner<S> {
    const HAS_EDGES: bool = false;

    #[inline]
    fn trace(&self, _tracer: &mut Tracer<'_>) {}
}

impl Default for Interner {
    fn default() -> Interner {
        Interner::new()
    }
}

impl<S> fmt::Debug for Interner<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interner").field("used", &self.used).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zeal::Zeal;
    use std::collections::HashMap;
    use std::hash::Hasher;

    /// Lets all texts of one length collide.
    #[derive(Default)]
    struct Length(u64);

    impl Hasher for Length {
        fn write(&mut self, bytes: &[u8]) {
            self.0 += bytes.len() as u64;
        }

        fn finish(&self) -> u64 {
            self.0
        }
    }

    fn heap() -> Heap {
        Heap::builder().zeal(Zeal::none()).build()
    }

    #[test]
    fn texts_that_collide_are_told_apart_also_after_deaths() {
        let mut heap = heap();
        let mut names = Interner::with_hasher(BuildHasherDefault::<Length>::default());
        let mut model: HashMap<String, Gc<str>> = HashMap::new();
        for turn in 0..if cfg!(miri) { 60 } else { 400_u32 } {
            let text = format!("{:02}", turn.wrapping_mul(2_654_435_761) % 60);
            let name = names.intern(&mut heap, &text);
            assert_eq!(&heap[name], text);
            let known = *model.entry(text).or_insert(name);
            assert_eq!(known, name);
            if turn % 7 == 0 {
                model.retain(|text, _| !text.ends_with(['0', '3']));
                let kept: Vec<Gc<str>> = model.values().copied().collect();
                heap.collect(&kept);
            }
        }
    }

    #[test]
    fn what_is_found_while_a_collection_goes_on_lives_through_it() {
        use crate::budget::{Budget, Progress};
        let mut heap = heap();
        let mut names = Interner::new();
        let name = names.intern(&mut heap, "name");
        heap.start_major();
        assert_eq!(heap.step(&(), Budget::work(1)), Progress::Pending);
        assert_eq!(names.get(&mut heap, "name"), Some(name));
        while heap.statistics().collections == 0 {
            let _ = heap.step(&(), Budget::work(1_000));
        }
        assert!(heap.contains(name));
        heap.collect(&());
        assert_eq!(names.get(&mut heap, "name"), None);
    }

    #[test]
    fn a_table_that_was_large_gets_small_again() {
        let mut heap = heap();
        let mut names = Interner::new();
        let many = if cfg!(miri) { 200 } else { 5_000 };
        for n in 0..many {
            names.intern(&mut heap, &n.to_string());
        }
        assert!(names.capacity() >= many);
        heap.collect(&());
        for n in 0..4 * many {
            names.intern(&mut heap, &format!("other {n}"));
            if n % 10 == 0 {
                heap.collect(&());
            }
        }
        assert!(names.capacity() < 100, "{}", names.capacity());
    }

    #[test]
    fn a_refused_string_leaves_the_table_as_it_was() {
        let mut heap = Heap::builder().limit(0).zeal(Zeal::none()).build();
        let mut names = Interner::new();
        assert!(names.try_intern(&mut heap, "name").is_err());
        assert_eq!((names.used, names.capacity()), (0, 0));
        heap.set_limit(1 << 20);
        let name = names.intern(&mut heap, "name");
        assert_eq!(names.get(&mut heap, "name"), Some(name));
    }
}
