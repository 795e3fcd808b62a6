//! The same as `script`, with mimalloc as the allocator of all three.

#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod contest;
#[allow(clippy::cast_sign_loss, clippy::float_cmp, reason = "the guest's numbers are floats")]
#[allow(clippy::single_match_else, clippy::needless_pass_by_value, reason = "as the interpreter that they mirror")]
mod machines;

fn main() {
    machines::main("mimalloc");
}
