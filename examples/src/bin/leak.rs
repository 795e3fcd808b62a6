//! A leak, and how it is found: what has grown, who keeps it alive, and which reference to cut.
//!
//! A server has rooms and sessions. Who leaves is taken off the list of sessions; but the room still has a listener that
//! leads to the session. In a language with a collector that is what a leak is: not memory that nobody freed, but a reference
//! that somebody forgot.

use tumulus_heap::{Gc, Heap, Trace};
use tumulus_snapshot::{Diff, Ephemerons, Snapshot};

#[derive(Trace)]
struct Server {
    rooms: Vec<Gc<Room>>,
    sessions: Vec<Gc<Session>>,
}

#[derive(Trace)]
struct Room {
    listeners: Vec<Listener>,
}

#[derive(Trace)]
struct Listener {
    session: Gc<Session>,
}

#[derive(Trace)]
struct Session {
    user: Gc<str>,
    history: Vec<Gc<str>>,
}

/// What is done with the listener of a session that ends.
#[derive(Copy, Clone, PartialEq)]
enum Leave {
    Forgotten,
    Removed,
}

/// A user comes, says something, and goes.
fn visit(heap: &mut Heap, server: &mut Server, number: usize, leave: Leave) {
    let user = heap.alloc_str(&format!("user {number}"));
    let session = heap.alloc(Session { user, history: Vec::new() });
    server.sessions.push(session);
    let room = server.rooms[number % server.rooms.len()];
    heap.get_mut(room).listeners.push(Listener { session });

    let line = heap.alloc_str(&format!("{} says hello", &heap[user]));
    heap.get_mut(session).history.push(line);
    heap.safepoint(&*server);

    server.sessions.retain(|&other| other != session);
    if leave == Leave::Removed {
        heap.get_mut(room).listeners.retain(|listener| listener.session != session);
    }
}

/// How many objects are alive after so many visits.
fn live_after(heap: &mut Heap, server: &mut Server, visits: usize, leave: Leave) -> u64 {
    (0..visits).for_each(|number| visit(heap, server, number, leave));
    heap.collect(&*server);
    heap.statistics().live_objects
}

fn main() -> std::io::Result<()> {
    let mut heap = Heap::new();
    let rooms = (0..2).map(|_| heap.alloc(Room { listeners: Vec::new() })).collect();
    let mut server = Server { rooms, sessions: Vec::new() };

    // Does it leak? Do the same thing twice. What the first time made for good is there; the second should leave nothing.
    let first = live_after(&mut heap, &mut server, 100, Leave::Forgotten);
    let before = Snapshot::of_heap(&mut heap, &server)?;
    let second = live_after(&mut heap, &mut server, 100, Leave::Forgotten);
    let after = Snapshot::of_heap(&mut heap, &server)?;
    println!("alive after 100 visits: {first}, after 200: {second}; and nobody is there");

    // What has grown?
    let diff = Diff::between(&before, &after);
    for change in diff.changes() {
        let (new, gone) = (change.new.len(), change.gone.len());
        println!("  {:<10} {new:>4} new, {gone} gone, {:>+6} bytes", change.name, change.size_delta());
    }

    // Who keeps one of them alive? Strings are the most, but they belong to something: the sessions say more.
    let sessions = diff.changes().iter().find(|change| change.name == "Session").expect("they have grown");
    let one = after.with_id(sessions.new[0]).expect("it is new");
    println!("one of them: {}", after.shortest_path(one).expect("it is alive"));

    // How much would go if that reference did?
    let dominators = after.dominators(Ephemerons::OfKeys);
    let room = after.named("Room").next().expect("there are two");
    println!(
        "a room retains {} bytes, {} of them its own",
        dominators.retained_size(room),
        after.node(room).self_size()
    );

    // The listener is to go when its session ends.
    for &room in &server.rooms {
        heap.get_mut(room).listeners.clear();
    }
    let first = live_after(&mut heap, &mut server, 100, Leave::Removed);
    let second = live_after(&mut heap, &mut server, 100, Leave::Removed);
    println!("with that mended: {first}, and {second}");
    assert_eq!(first, second);
    Ok(())
}
