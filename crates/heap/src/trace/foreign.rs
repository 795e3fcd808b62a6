//! The collections of other crates, behind a feature each.

#[cfg(feature = "hashbrown")]
mod hashbrown {
    use crate::trace::collections::{each, each_pair};
    use crate::trace::{Describer, Trace, Tracer, describe};

    impl<K: Trace, V: Trace, S> Trace for hashbrown::HashMap<K, V, S> {
        const HAS_EDGES: bool = K::HAS_EDGES || V::HAS_EDGES;

        fn trace(&self, tracer: &mut Tracer<'_>) {
            each_pair(self, tracer);
        }

        fn describe(&self, describer: &mut Describer<'_>) {
            describe::each_pair(self, describer);
        }
    }

    impl<T: Trace, S> Trace for hashbrown::HashSet<T, S> {
        const HAS_EDGES: bool = T::HAS_EDGES;

        fn trace(&self, tracer: &mut Tracer<'_>) {
            each(self, tracer);
        }

        fn describe(&self, describer: &mut Describer<'_>) {
            describe::each(self, describer);
        }
    }

    impl<T: Trace> Trace for hashbrown::HashTable<T> {
        const HAS_EDGES: bool = T::HAS_EDGES;

        fn trace(&self, tracer: &mut Tracer<'_>) {
            each(self, tracer);
        }

        fn describe(&self, describer: &mut Describer<'_>) {
            describe::each(self, describer);
        }
    }
}

#[cfg(feature = "indexmap")]
mod indexmap {
    use crate::trace::collections::{each, each_pair};
    use crate::trace::{Describer, Trace, Tracer, describe};

    impl<K: Trace, V: Trace, S> Trace for indexmap::IndexMap<K, V, S> {
        const HAS_EDGES: bool = K::HAS_EDGES || V::HAS_EDGES;

        fn trace(&self, tracer: &mut Tracer<'_>) {
            each_pair(self, tracer);
        }

        fn describe(&self, describer: &mut Describer<'_>) {
            describe::each_pair(self, describer);
        }
    }

    impl<T: Trace, S> Trace for indexmap::IndexSet<T, S> {
        const HAS_EDGES: bool = T::HAS_EDGES;

        fn trace(&self, tracer: &mut Tracer<'_>) {
            each(self, tracer);
        }

        fn describe(&self, describer: &mut Describer<'_>) {
            describe::each(self, describer);
        }
    }
}

#[cfg(feature = "smallvec")]
mod smallvec {
    use crate::trace::collections::each;
    use crate::trace::{Describer, Trace, Tracer, describe};

    impl<A: smallvec::Array<Item: Trace>> Trace for smallvec::SmallVec<A> {
        const HAS_EDGES: bool = A::Item::HAS_EDGES;

        fn trace(&self, tracer: &mut Tracer<'_>) {
            each(self.iter(), tracer);
        }

        fn describe(&self, describer: &mut Describer<'_>) {
            describe::each(self.iter(), describer);
        }
    }
}
