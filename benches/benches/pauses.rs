//! The means behind the program `pauses`: what the parts of a collection cost that a program waits for.

fn main() {}
