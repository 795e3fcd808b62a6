use tumulus_heap::Trace;

#[derive(Trace)]
union Bits {
    number: u32,
    float: f32,
}

fn main() {}
