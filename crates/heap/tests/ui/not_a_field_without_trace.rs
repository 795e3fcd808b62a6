use tumulus_heap::{Gc, Trace};

struct Socket;

#[derive(Trace)]
struct Connection {
    socket: Socket,
    buffer: Gc<[u8]>,
}

fn main() {}
