//! The same as `lisp`, with mimalloc as the allocator of all three.

#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod heaps;

fn main() {
    heaps::main("mimalloc");
}
