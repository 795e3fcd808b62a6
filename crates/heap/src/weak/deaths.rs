//! Numbers that are handed out when an object has died.

use crate::alloc::alloc_failed;
use crate::error::AllocError;
use crate::heap::Heap;
use crate::raw::AnyGc;
use crate::weak::{FinalizationRegistry, RegisterError};

impl Heap {
    /// Asks for `token` to be handed out by [`take_dead`](Heap::take_dead) after a collection has found the object dead.
    ///
    /// It is for tables beside the heap, whose entries go with an object: the token says which entry. The object is not kept
    /// alive. An object can have any number of tokens. A token takes 48 bytes of the heap, up to twice that;
    /// [`FinalizationRegistry`] is the same for values of any type, of which one can be cancelled.
    ///
    /// # Panics
    ///
    /// If the object is dead, or there is no room.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use tumulus_heap::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let mut native = HashMap::from([(7, "what belongs to the object, outside of the heap")]);
    /// let object = heap.alloc("object");
    /// heap.on_death(object, 7);
    ///
    /// heap.collect(&());
    /// while let Some(token) = heap.take_dead() {
    ///     native.remove(&token);
    /// }
    /// assert!(native.is_empty());
    /// ```
    #[track_caller]
    pub fn on_death(&mut self, object: impl Into<AnyGc>, token: u64) {
        self.try_on_death(object, token).unwrap_or_else(|error| alloc_failed(&error));
    }

    /// As [`on_death`](Heap::on_death), if there is room.
    ///
    /// # Errors
    ///
    /// If the list of tokens would have to grow, and cannot.
    ///
    /// # Panics
    ///
    /// If the object is dead.
    ///
    /// ```
    /// # use tumulus_heap::Heap;
    /// let mut heap = Heap::new();
    /// let object = heap.alloc("object");
    /// heap.set_limit(0);
    /// assert!(heap.try_on_death(object, 1).is_err());
    /// ```
    #[track_caller]
    pub fn try_on_death(&mut self, object: impl Into<AnyGc>, token: u64) -> Result<(), AllocError> {
        let registry = match self.kept.deaths {
            Some(registry) => registry,
            None => self.try_alloc(FinalizationRegistry::new())?,
        };
        self.kept.deaths = Some(registry);
        match registry.register(self, object, token, None) {
            Ok(()) => Ok(()),
            Err(RegisterError::Alloc(error)) => Err(error.without_value()),
            Err(error) => panic!("{error}"),
        }
    }

    /// The token of an object that has died, first in first out, each of them once.
    ///
    /// ```
    /// # use tumulus_heap::Heap;
    /// # let mut heap = Heap::new();
    /// for token in 0..3 {
    ///     let object = heap.alloc("object");
    ///     heap.on_death(object, token);
    /// }
    /// assert_eq!(heap.take_dead(), None);
    /// heap.collect(&());
    /// let tokens: Vec<u64> = std::iter::from_fn(|| heap.take_dead()).collect();
    /// assert_eq!(tokens, [0, 1, 2]);
    /// ```
    pub fn take_dead(&mut self) -> Option<u64> {
        self.kept.deaths?.take_dead(self)
    }
}
