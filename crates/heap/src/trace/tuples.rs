//! Tuples of up to twelve, and function pointers of up to twelve arguments.

use crate::trace::{Describer, Trace, Tracer};

macro_rules! tuples {
    ($($name:ident)+) => {
        impl<$($name: Trace),+> Trace for ($($name,)+) {
            const HAS_EDGES: bool = $($name::HAS_EDGES)||+;

            #[inline]
            fn trace(&self, tracer: &mut Tracer<'_>) {
                #[allow(non_snake_case)]
                let ($($name,)+) = self;
                $($name.trace(tracer);)+
            }

            #[inline]
            fn describe(&self, describer: &mut Describer<'_>) {
                #[allow(non_snake_case)]
                let ($($name,)+) = self;
                let mut at = 0..;
                $(describer.element(at.next().unwrap_or(0), $name);)+
            }
        }
    };
}

macro_rules! functions {
    ($($name:ident)*) => {
        impl<Ret $(, $name)*> Trace for fn($($name),*) -> Ret {
            const HAS_EDGES: bool = false;

            #[inline(always)]
            fn trace(&self, _tracer: &mut Tracer<'_>) {}
        }
    };
}

macro_rules! each_prefix {
    ($macro:ident: $($done:ident)* ;) => { $macro! { $($done)* } };
    ($macro:ident: $($done:ident)+ ; $next:ident $($rest:ident)*) => {
        $macro! { $($done)+ }
        each_prefix! { $macro: $($done)+ $next ; $($rest)* }
    };
}

each_prefix! { tuples: A ; B C D E F G H I J K L }
functions! {}
each_prefix! { functions: A ; B C D E F G H I J K L }
