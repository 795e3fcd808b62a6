//! The collections of the standard library.

use crate::trace::{Describer, Trace, Tracer, describe};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque};

/// Traces each item, or none, where their type has no edges.
#[inline(always)]
pub(super) fn each<'a, T: Trace + 'a>(items: impl IntoIterator<Item = &'a T>, tracer: &mut Tracer<'_>) {
    if T::HAS_EDGES {
        items.into_iter().for_each(|item| item.trace(tracer));
    }
}

/// Traces each key and each value, or none, where their types have no edges.
#[inline(always)]
pub(super) fn each_pair<'a, K: Trace + 'a, V: Trace + 'a>(
    entries: impl IntoIterator<Item = (&'a K, &'a V)>,
    tracer: &mut Tracer<'_>,
) {
    if K::HAS_EDGES || V::HAS_EDGES {
        for (key, value) in entries {
            key.trace(tracer);
            value.trace(tracer);
        }
    }
}

macro_rules! sequences {
    ($({$($generics:tt)*} $type:ty),* $(,)?) => {$(
        impl<T: Trace, $($generics)*> Trace for $type {
            const HAS_EDGES: bool = T::HAS_EDGES;

            #[inline]
            fn trace(&self, tracer: &mut Tracer<'_>) {
                each(self, tracer);
            }

            fn describe(&self, describer: &mut Describer<'_>) {
                describe::each(self, describer);
            }
        }
    )*};
}

sequences! {
    {const N: usize} [T; N], {} Vec<T>, {} VecDeque<T>, {} LinkedList<T>, {} BTreeSet<T>, {} BinaryHeap<T>,
    {S} HashSet<T, S>,
}

impl<T: Trace> Trace for [T] {
    const HAS_EDGES: bool = T::HAS_EDGES;
    const IS_WEAK: bool = T::IS_WEAK;

    #[inline]
    fn trace(&self, tracer: &mut Tracer<'_>) {
        each(self, tracer);
    }

    fn describe(&self, describer: &mut Describer<'_>) {
        describe::each(self, describer);
    }
}

impl<K: Trace, V: Trace, S> Trace for HashMap<K, V, S> {
    const HAS_EDGES: bool = K::HAS_EDGES || V::HAS_EDGES;

    fn trace(&self, tracer: &mut Tracer<'_>) {
        each_pair(self, tracer);
    }

    fn describe(&self, describer: &mut Describer<'_>) {
        describe::each_pair(self, describer);
    }
}

impl<K: Trace, V: Trace> Trace for BTreeMap<K, V> {
    const HAS_EDGES: bool = K::HAS_EDGES || V::HAS_EDGES;

    fn trace(&self, tracer: &mut Tracer<'_>) {
        each_pair(self, tracer);
    }

    fn describe(&self, describer: &mut Describer<'_>) {
        describe::each_pair(self, describer);
    }
}
