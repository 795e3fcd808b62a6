use tumulus_heap::{Gc, Trace};

#[derive(Trace)]
#[trace(leaf)]
struct OnTheType {
    number: u32,
}

#[derive(Trace)]
#[trace(skip)]
struct OnTheWrongPlace {
    number: u32,
}

#[derive(Trace)]
struct OnAField {
    #[trace(ignore)]
    handle: Gc<u32>,
}

#[derive(Trace)]
enum OnAVariant {
    #[trace(bound = "u32: Copy")]
    One(Gc<u32>),
}

fn main() {}
