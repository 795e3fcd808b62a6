//! References and boxes, and the sums that wrap a value.

use crate::trace::{Describer, Trace, Tracer};
use std::borrow::Cow;
use std::cmp::Reverse;
use std::num::{Saturating, Wrapping};
use std::ops::{Range, RangeFrom, RangeTo, RangeToInclusive};

macro_rules! transparent {
    ($($type:ty),* $(,)?) => {$(
        impl<T: Trace + ?Sized> Trace for $type {
            const HAS_EDGES: bool = T::HAS_EDGES;

            #[inline(always)]
            fn trace(&self, tracer: &mut Tracer<'_>) {
                (**self).trace(tracer);
            }

            #[inline]
            fn describe(&self, describer: &mut Describer<'_>) {
                (**self).describe(describer);
            }
        }
    )*};
}

transparent! { &T, &mut T, Box<T> }

macro_rules! wrappers {
    ($($name:ident { $($field:tt),+ }),* $(,)?) => {$(
        impl<T: Trace> Trace for $name<T> {
            const HAS_EDGES: bool = T::HAS_EDGES;

            #[inline]
            fn trace(&self, tracer: &mut Tracer<'_>) {
                $(self.$field.trace(tracer);)+
            }

            #[inline]
            fn describe(&self, describer: &mut Describer<'_>) {
                $(describer.field(stringify!($field), &self.$field);)+
            }
        }
    )*};
}

wrappers! {
    Wrapping { 0 }, Saturating { 0 }, Reverse { 0 }, Range { start, end }, RangeFrom { start }, RangeTo { end },
    RangeToInclusive { end },
}

impl<T: Trace> Trace for Option<T> {
    const HAS_EDGES: bool = T::HAS_EDGES;

    #[inline(always)]
    fn trace(&self, tracer: &mut Tracer<'_>) {
        if let Some(value) = self {
            value.trace(tracer);
        }
    }

    #[inline]
    fn describe(&self, describer: &mut Describer<'_>) {
        if let Some(value) = self {
            value.describe(describer);
        }
    }
}

impl<T: Trace, E: Trace> Trace for Result<T, E> {
    const HAS_EDGES: bool = T::HAS_EDGES || E::HAS_EDGES;

    #[inline(always)]
    fn trace(&self, tracer: &mut Tracer<'_>) {
        match self {
            Ok(value) => value.trace(tracer),
            Err(error) => error.trace(tracer),
        }
    }

    fn describe(&self, describer: &mut Describer<'_>) {
        match self {
            Ok(value) => value.describe(describer),
            Err(error) => error.describe(describer),
        }
    }
}

impl<T: Trace + ToOwned<Owned: Trace> + ?Sized> Trace for Cow<'_, T> {
    const HAS_EDGES: bool = T::HAS_EDGES || <T::Owned as Trace>::HAS_EDGES;

    #[inline]
    fn trace(&self, tracer: &mut Tracer<'_>) {
        match self {
            Cow::Borrowed(value) => value.trace(tracer),
            Cow::Owned(value) => value.trace(tracer),
        }
    }

    fn describe(&self, describer: &mut Describer<'_>) {
        match self {
            Cow::Borrowed(value) => value.describe(describer),
            Cow::Owned(value) => value.describe(describer),
        }
    }
}
