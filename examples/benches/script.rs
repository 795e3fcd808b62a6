//! The bytecode machine over Tumulus, over `Rc<RefCell>` and over gc-arena: `cargo bench -p tumulus-examples --bench script`.

mod contest;
#[allow(clippy::cast_sign_loss, clippy::float_cmp, reason = "the guest's numbers are floats")]
#[allow(clippy::single_match_else, clippy::needless_pass_by_value, reason = "as the interpreter that they mirror")]
mod machines;

fn main() {
    machines::main("the system's allocator");
}
