//! Types that contain no handles.

use crate::trace::{Describer, NodeKind, Trace, Tracer};
use std::cell::{Cell, OnceCell, RefCell};
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::{Arc, Mutex, OnceLock, RwLock};

macro_rules! leaves {
    ($($(#[$attribute:meta])* $({$($generics:tt)*})? $type:ty),* $(,)?) => {$(
        $(#[$attribute])*
        impl $(<$($generics)*>)? Trace for $type {
            const HAS_EDGES: bool = false;

            #[inline(always)]
            fn trace(&self, _tracer: &mut Tracer<'_>) {}

            #[inline(always)]
            fn describe(&self, _describer: &mut Describer<'_>) {}
        }
    )*};
}

leaves! {
    (), bool, char,
    std::num::NonZeroU8, std::num::NonZeroU16, std::num::NonZeroU32, std::num::NonZeroU64, std::num::NonZeroU128,
    std::num::NonZeroUsize,
    std::num::NonZeroI8, std::num::NonZeroI16, std::num::NonZeroI32, std::num::NonZeroI64, std::num::NonZeroI128,
    std::num::NonZeroIsize,
    std::sync::atomic::AtomicBool, std::sync::atomic::AtomicU8, std::sync::atomic::AtomicU16,
    std::sync::atomic::AtomicU32, std::sync::atomic::AtomicU64, std::sync::atomic::AtomicUsize,
    std::sync::atomic::AtomicI8, std::sync::atomic::AtomicI16, std::sync::atomic::AtomicI32,
    std::sync::atomic::AtomicI64, std::sync::atomic::AtomicIsize,
    std::any::TypeId, std::cmp::Ordering, std::convert::Infallible, std::time::Duration, std::time::Instant,
    std::time::SystemTime,
    std::path::Path, std::path::PathBuf, std::ffi::OsStr, std::ffi::OsString, std::ffi::CStr, std::ffi::CString,
    std::net::IpAddr, std::net::SocketAddr, std::fs::File, std::io::Error, std::fmt::Error,
    std::num::ParseIntError, std::num::ParseFloatError, std::str::Utf8Error, std::string::FromUtf8Error,
    {T: ?Sized} PhantomData<T>,
}

macro_rules! named_leaves {
    ($kind:ident, |$value:ident, $describer:ident| $describe:expr; $($type:ty),* $(,)?) => {$(
        impl Trace for $type {
            const HAS_EDGES: bool = false;

            #[inline(always)]
            fn trace(&self, _tracer: &mut Tracer<'_>) {}

            #[inline]
            fn describe(&self, $describer: &mut Describer<'_>) {
                let $value = self;
                $describer.kind(NodeKind::$kind);
                $describe;
            }
        }
    )*};
}

named_leaves! { String, |text, describer| describer.name(text); str, String }
named_leaves! { Number, |number, describer| { let _ = number; };
    u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize, f32, f64,
}

/// A type whose values are shared, or change behind a shared reference. The collector would not see a handle come or go
/// in one, so that its contents must be leaves; that is checked at compile time.
macro_rules! leaf_containers {
    ($($name:literal <$T:ident: $bound:path $(, ?$relaxed:ident)?> $type:ty),* $(,)?) => {$(
        #[doc = concat!("For contents without handles, which is checked at compile time: the collector would not see a handle come or go in a `", $name, "`.")]
        impl<$T: $bound $(+ ?$relaxed)?> Trace for $type {
            const HAS_EDGES: bool = {
                assert!(
                    !$T::HAS_EDGES,
                    concat!("a `", $name, "` inside the heap cannot hold a `Gc`: store the `Gc` itself, and write through `Heap::get_mut`")
                );
                false
            };

            #[inline(always)]
            fn trace(&self, _tracer: &mut Tracer<'_>) {
                // Evaluates the assertion for every use, whether the constant is asked for or not.
                const { assert!(!Self::HAS_EDGES) }
            }
        }
    )*};
}

leaf_containers! {
    "Rc" <T: Trace, ?Sized> Rc<T>,
    "Arc" <T: Trace, ?Sized> Arc<T>,
    "Cell" <T: Trace, ?Sized> Cell<T>,
    "RefCell" <T: Trace, ?Sized> RefCell<T>,
    "OnceCell" <T: Trace> OnceCell<T>,
    "Mutex" <T: Trace, ?Sized> Mutex<T>,
    "RwLock" <T: Trace, ?Sized> RwLock<T>,
    "OnceLock" <T: Trace> OnceLock<T>,
}
