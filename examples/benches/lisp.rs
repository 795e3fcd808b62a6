//! The Lisp over Tumulus, over `Rc<RefCell>` and over gc-arena: `cargo bench -p tumulus-examples --bench lisp`.

mod heaps;

fn main() {
    heaps::main("the system's allocator");
}
