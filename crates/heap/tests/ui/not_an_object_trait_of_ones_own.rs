use tumulus_heap::Object;

trait Shape {}

impl Object for dyn Shape {}

fn main() {}
