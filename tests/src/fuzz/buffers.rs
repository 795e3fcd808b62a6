//! Buffers of two heaps, and stores that are held outside, beside vectors of bytes.

use arbitrary::Arbitrary;
use std::collections::BTreeMap;
use std::sync::Arc;
use tumulus_arraybuffer::{
    ArrayBuffer, BackingStore, Buffer, DetachKey, Error, Layout, Parcel, SharedArrayBuffer, release,
};
use tumulus_heap::{Gc, Heap, Root, Trace};
use tumulus_testing::AccountingAllocator;
use tumulus_testing::zeal::Mode;

#[derive(Copy, Clone, Debug, Arbitrary)]
enum Op {
    New { heap: bool, bytes: u16, max: Option<u16>, accounted: bool, shared: bool },
    Resize { of: u8, bytes: u16 },
    Write { of: u8, at: u16, value: u8 },
    Slice { of: u8, start: i8, end: Option<i8>, immutable: bool },
    Transfer { of: u8, bytes: Option<u16>, how: u8 },
    Detach { of: u8 },
    Hold { of: u8, externalize: bool },
    LetGo { which: u8 },
    Attach { which: u8, heap: bool },
    WriteOutside { which: u8, at: u16, value: u8 },
    Grow { which: u8, bytes: u16 },
    Send { of: u8, copy: bool },
    Drop { of: u8 },
    Collect { heap: bool, minor: bool },
    Safepoint { heap: bool },
}

/// What a store should be.
#[derive(Clone, Debug)]
struct Model {
    bytes: Vec<u8>,
    max: Option<usize>,
    shared: bool,
}

/// A buffer that is alive.
struct Live {
    root: Root<Rooted>,
    heap: usize,
    /// Its store, while it is attached.
    store: Option<u64>,
    immutable: bool,
}

/// A buffer as an object of the program's.
#[derive(Trace)]
struct Rooted {
    buffer: Buffer,
}

struct World {
    heaps: [Heap; 2],
    allocator: Arc<AccountingAllocator>,
    models: BTreeMap<u64, Model>,
    live: Vec<Live>,
    held: Vec<(u64, BackingStore)>,
}

/// More than this is no longer quick.
const MOST: u16 = 20_000;

pub(super) fn run(bytes: &[u8]) {
    let Some((mode, mut ops)) = super::read::<(Mode, Vec<Op>)>(bytes) else { return };
    ops.truncate(200);
    // The releaser is another thread, which a fuzzer has no hold of.
    release::set_mode(release::Mode::Inline);
    let allocator = Arc::new(AccountingAllocator::new());
    let heaps = [mode.build(), mode.build()];
    let mut world =
        World { heaps, allocator: Arc::clone(&allocator), models: BTreeMap::new(), live: Vec::new(), held: Vec::new() };
    for op in ops {
        // An operation for which there is nothing.
        let _ = world.step(op);
        world.check();
    }
    world.live.clear();
    world.collect();
    for heap in &world.heaps {
        let now = heap.statistics();
        assert_eq!(now.external_bytes, 0, "{now:?}");
    }
    let World { heaps, held, models, .. } = world;
    drop(heaps);
    for (id, store) in &held {
        let model = &models[id];
        let mut bytes = vec![0; model.bytes.len()];
        store.copy_to(0, &mut bytes).expect("nobody else has it");
        assert_eq!(bytes, model.bytes, "a store that outlived its heap");
    }
    drop(held);
    allocator.assert_no_leaks();
}

impl World {
    fn collect(&mut self) {
        self.heaps.iter_mut().for_each(|heap| heap.collect(&()));
    }

    fn buffer(&self, of: &Live) -> Buffer {
        self.heaps[of.heap][of.root.get()].buffer
    }

    fn at(&self, of: u8) -> Option<usize> {
        (!self.live.is_empty()).then(|| usize::from(of) % self.live.len())
    }

    /// A buffer without bytes gives another empty store each time that it is asked.
    fn model_of_nothing(&self, store: &BackingStore) -> Option<Model> {
        (!self.models.contains_key(&store.id())).then(|| {
            assert_eq!(store.max_byte_length(), 0, "a store that nobody made");
            Model { bytes: Vec::new(), max: store.is_resizable().then_some(0), shared: store.is_shared() }
        })
    }

    fn add(&mut self, heap: usize, buffer: Buffer, model: Option<Model>, immutable: bool) {
        let store = match buffer {
            Buffer::Plain(buffer) => buffer.backing_store(&self.heaps[heap]),
            Buffer::Shared(buffer) => buffer.backing_store(&self.heaps[heap]),
        };
        let id = store.id();
        if let Some(model) = model.or_else(|| self.model_of_nothing(&store)) {
            assert!(self.models.insert(id, model).is_none(), "an id is given twice");
        }
        let gc: Gc<Rooted> = self.heaps[heap].alloc(Rooted { buffer });
        let root = self.heaps[heap].root(gc);
        self.live.push(Live { root, heap, store: Some(id), immutable });
    }

    fn step(&mut self, op: Op) -> Option<()> {
        match op {
            Op::New { heap, bytes, max, accounted, shared } => {
                self.make(heap.into(), bytes % MOST, max, accounted, shared);
            }
            Op::Resize { of, bytes } => self.resize(self.at(of)?, usize::from(bytes % MOST))?,
            Op::Write { of, at, value } => self.write(self.at(of)?, at.into(), value)?,
            Op::Slice { of, start, end, immutable } => self.slice(self.at(of)?, start, end, immutable)?,
            Op::Transfer { of, bytes, how } => self.transfer(self.at(of)?, bytes.map(|bytes| bytes % MOST), how)?,
            Op::Detach { of } => {
                let at = self.at(of)?;
                let Buffer::Plain(buffer) = self.buffer(&self.live[at]) else { return None };
                let live = &mut self.live[at];
                let result = buffer.detach(&mut self.heaps[live.heap], DetachKey::Undefined);
                let is_immutable = live.immutable && live.store.is_some();
                assert_eq!(result.is_err(), is_immutable, "{result:?}");
                if !is_immutable {
                    live.store = None;
                }
            }
            Op::Hold { of, externalize } => {
                let live = &self.live[self.at(of)?];
                let (id, buffer) = (live.store?, self.buffer(live));
                let heap = &mut self.heaps[live.heap];
                let store = match (buffer, externalize) {
                    (Buffer::Plain(buffer), true) => buffer.externalize(heap),
                    (Buffer::Plain(buffer), false) => buffer.backing_store(heap),
                    (Buffer::Shared(buffer), true) => buffer.externalize(heap),
                    (Buffer::Shared(buffer), false) => buffer.backing_store(heap),
                };
                if let Some(nothing) = self.model_of_nothing(&store) {
                    self.models.insert(store.id(), nothing);
                } else {
                    assert_eq!(store.id(), id);
                }
                self.held.push((store.id(), store));
            }
            Op::LetGo { which } => {
                let at = usize::from(which) % self.held.len().max(1);
                (at < self.held.len()).then(|| self.held.swap_remove(at))?;
            }
            Op::Attach { which, heap } => self.attach(which, heap.into())?,
            Op::WriteOutside { which, at, value } => {
                let at_held = usize::from(which) % self.held.len().max(1);
                let (id, store) = self.held.get(at_held)?;
                let model = self.models.get_mut(id).expect("it is held");
                let at = usize::from(at) % model.bytes.len().max(1);
                match store.copy_from(at, &[value]) {
                    Ok(()) => model.bytes[at] = value,
                    Err(Error::InUse { .. } | Error::Immutable { .. }) => {}
                    Err(error) => assert!(model.bytes.is_empty(), "{error}"),
                }
            }
            Op::Grow { which, bytes } => {
                let at = usize::from(which) % self.held.len().max(1);
                let (id, store) = self.held.get(at)?;
                let (model, bytes) = (self.models.get_mut(id).expect("it is held"), usize::from(bytes % MOST));
                if model.shared {
                    let fits = model.max.is_some_and(|max| bytes <= max) && bytes >= model.bytes.len();
                    assert_eq!(store.grow(bytes).is_ok(), fits);
                    if fits {
                        model.bytes.resize(bytes, 0);
                    }
                }
            }
            Op::Send { of, copy } => self.send(self.at(of)?, copy)?,
            Op::Drop { of } => drop(self.live.swap_remove(self.at(of)?)),
            Op::Collect { heap, minor: false } => self.heaps[usize::from(heap)].collect(&()),
            Op::Collect { heap, minor: true } => self.heaps[usize::from(heap)].collect_minor(&()),
            Op::Safepoint { heap } => self.heaps[usize::from(heap)].safepoint(&()),
        }
        Some(())
    }

    fn make(&mut self, heap: usize, bytes: u16, max: Option<u16>, accounted: bool, shared: bool) {
        let mut layout = Layout::new(bytes.into());
        if let Some(max) = max {
            layout = layout.max(max.into());
        }
        if accounted {
            layout = layout.allocator(&self.allocator);
        }
        let made = if shared {
            SharedArrayBuffer::new(&mut self.heaps[heap], layout).map(Buffer::from)
        } else {
            ArrayBuffer::new(&mut self.heaps[heap], layout).map(Buffer::from)
        };
        match made {
            Ok(buffer) => {
                let model = Model { bytes: vec![0; bytes.into()], max: max.map(usize::from), shared };
                self.add(heap, buffer, Some(model), false);
            }
            Err(error) => assert!(max.is_some_and(|max| bytes > max), "{error}"),
        }
    }

    fn resize(&mut self, at: usize, bytes: usize) -> Option<()> {
        let (live, buffer) = (&self.live[at], self.buffer(&self.live[at]));
        let heap = &mut self.heaps[live.heap];
        let result = match buffer {
            Buffer::Plain(buffer) => buffer.resize(heap, bytes as u64),
            Buffer::Shared(buffer) => buffer.grow(heap, bytes as u64),
        };
        let Some(id) = live.store else {
            assert!(matches!(result, Err(Error::Detached { .. } | Error::NotResizable { .. })), "{result:?}");
            return None;
        };
        let model = self.models.get_mut(&id).expect("it is attached");
        let fits = model.max.is_some_and(|max| bytes <= max) && (!model.shared || bytes >= model.bytes.len());
        assert_eq!(result.is_ok(), fits && !live.immutable, "{result:?} {bytes} {model:?}");
        if result.is_ok() {
            model.bytes.resize(bytes, 0);
        }
        Some(())
    }

    fn write(&mut self, at: usize, place: usize, value: u8) -> Option<()> {
        let (live, buffer) = (&self.live[at], self.buffer(&self.live[at]));
        let model = self.models.get_mut(&live.store?).expect("it is attached");
        let place = place % model.bytes.len().max(1);
        let Buffer::Plain(buffer) = buffer else { return None };
        match buffer.as_mut_slice(&mut self.heaps[live.heap]) {
            Ok(bytes) if place < bytes.len() => (bytes[place], model.bytes[place]) = (value, value),
            Ok(bytes) => assert!(bytes.is_empty() && model.bytes.is_empty()),
            Err(Error::Immutable { .. }) => assert!(live.immutable),
            Err(error) => panic!("{error}"),
        }
        Some(())
    }

    fn slice(&mut self, at: usize, start: i8, end: Option<i8>, immutable: bool) -> Option<()> {
        let (live, buffer) = (&self.live[at], self.buffer(&self.live[at]));
        let (heap, was) = (live.heap, live.store);
        let made = match buffer {
            Buffer::Plain(buffer) if immutable => {
                buffer.slice_to_immutable(&mut self.heaps[heap], start.into(), end.map(f64::from)).map(Buffer::from)
            }
            Buffer::Plain(buffer) => {
                buffer.slice(&mut self.heaps[heap], start.into(), end.map(f64::from)).map(Buffer::from)
            }
            Buffer::Shared(buffer) => {
                buffer.slice(&mut self.heaps[heap], start.into(), end.map(f64::from)).map(Buffer::from)
            }
        };
        let Some(was) = was else {
            assert!(matches!(made, Err(Error::Detached { .. })), "{made:?}");
            return None;
        };
        let model = &self.models[&was];
        let length = isize::try_from(model.bytes.len()).expect("small");
        let absolute = |place: i8| {
            let place = isize::from(place);
            (if place < 0 { (length + place).max(0) } else { place.min(length) }).cast_unsigned()
        };
        let start = absolute(start);
        let end = end.map_or(length.cast_unsigned(), absolute).max(start);
        let (bytes, shared) = (model.bytes[start..end].to_vec(), model.shared);
        let is_immutable = immutable && !shared;
        let buffer = made.expect("it is attached");
        self.add(heap, buffer, Some(Model { bytes, max: None, shared }), is_immutable);
        Some(())
    }

    fn transfer(&mut self, at: usize, bytes: Option<u16>, how: u8) -> Option<()> {
        let Buffer::Plain(buffer) = self.buffer(&self.live[at]) else { return None };
        let live = &mut self.live[at];
        let (heap, length) = (live.heap, bytes.map(u64::from));
        let made = match how % 3 {
            0 => buffer.transfer(&mut self.heaps[heap], length),
            1 => buffer.transfer_to_fixed_length(&mut self.heaps[heap], length),
            _ => buffer.transfer_to_immutable(&mut self.heaps[heap], length),
        };
        let Some(was) = live.store else {
            assert!(matches!(made, Err(Error::Detached { .. })), "{made:?}");
            return None;
        };
        let model = &self.models[&was];
        let wanted = bytes.map_or(model.bytes.len(), usize::from);
        let stays_resizable = how.is_multiple_of(3) && model.max.is_some();
        let fits = !live.immutable && (!stays_resizable || model.max.is_some_and(|max| wanted <= max));
        assert_eq!(made.is_ok(), fits, "{made:?} {wanted} {model:?}");
        let Ok(made) = made else { return None };
        live.store = None;
        let mut moved = Model { bytes: model.bytes.clone(), max: model.max.filter(|_| stays_resizable), shared: false };
        moved.bytes.resize(wanted, 0);
        let is_new = made.backing_store(&self.heaps[heap]).id() != was;
        if !is_new {
            self.models.insert(was, moved.clone());
        }
        self.add(heap, made.into(), is_new.then_some(moved), how % 3 == 2);
        Some(())
    }

    fn attach(&mut self, which: u8, heap: usize) -> Option<()> {
        let at = usize::from(which) % self.held.len().max(1);
        let (id, store) = self.held.get(at)?;
        let (id, shared, immutable) = (*id, store.is_shared(), store.is_read_only());
        let made = if shared {
            SharedArrayBuffer::from_store(&mut self.heaps[heap], store.clone()).map(Buffer::from)
        } else {
            ArrayBuffer::from_store(&mut self.heaps[heap], store.clone()).map(Buffer::from)
        };
        match made {
            Ok(buffer) => self.add(heap, buffer, None, immutable),
            Err(error) => {
                assert!(matches!(error, Error::InUse { .. }) && !shared, "{error}");
                // Another heap has a buffer of it, or has not found yet that this is dead.
                let alive_here = self.live.iter().any(|live| live.store == Some(id) && live.heap == heap);
                assert!(!alive_here, "{error}");
            }
        }
        Some(())
    }

    /// To the other heap.
    fn send(&mut self, at: usize, copy: bool) -> Option<()> {
        let (from, id, buffer) = (self.live[at].heap, self.live[at].store, self.buffer(&self.live[at]));
        let mut parcel = Parcel::new();
        let sent = match buffer {
            Buffer::Shared(buffer) => Ok(parcel.share(&self.heaps[from], buffer)),
            Buffer::Plain(buffer) if copy => parcel.copy(&self.heaps[from], buffer),
            Buffer::Plain(buffer) => parcel.transfer(&mut self.heaps[from], buffer),
        };
        if let Err(error) = sent {
            assert!(id.is_none() || matches!(error, Error::Immutable { .. } | Error::InUse { .. }), "{error}");
            return None;
        }
        let (id, shared) = (id.expect("it was attached"), matches!(buffer, Buffer::Shared(_)));
        if !copy && !shared {
            self.live[at].store = None;
        }
        let unpacked = parcel.unpack(&mut self.heaps[1 - from]).expect("nobody else has it");
        let model = (copy && !shared).then(|| self.models[&id].clone());
        let immutable = model.is_some() && self.live[at].immutable;
        let &[buffer] = &unpacked[..] else { panic!("one buffer was sent") };
        self.add(1 - from, buffer, model, immutable);
        Some(())
    }

    fn check(&self) {
        for live in &self.live {
            let (heap, buffer) = (&self.heaps[live.heap], self.buffer(live));
            let Some(id) = live.store else {
                assert_eq!(buffer.byte_length(heap), 0);
                let Buffer::Plain(buffer) = buffer else { panic!("shared buffers are not detached") };
                assert!(buffer.detached(heap) && buffer.as_slice(heap).is_err());
                continue;
            };
            let model = &self.models[&id];
            assert_eq!(buffer.byte_length(heap), model.bytes.len());
            if let Buffer::Plain(buffer) = buffer {
                assert_eq!(buffer.as_slice(heap).expect("it is attached"), model.bytes);
                assert_eq!((buffer.resizable(heap), buffer.immutable(heap)), (model.max.is_some(), live.immutable));
            }
        }
        for (id, store) in &self.held {
            assert_eq!(store.byte_length(), self.models[id].bytes.len());
        }
        // What is attached counts once, for the heap that pays.
        let attached: std::collections::BTreeSet<u64> = self.live.iter().filter_map(|live| live.store).collect();
        let least: usize = attached.iter().map(|id| self.models[id].bytes.len()).sum();
        let counted: usize = self.heaps.iter().map(|heap| heap.statistics().external_bytes).sum();
        assert!(counted >= least, "{counted} bytes are counted, and {least} attached");
        self.heaps.iter().for_each(|heap| heap.verify().expect("in order"));
    }
}
