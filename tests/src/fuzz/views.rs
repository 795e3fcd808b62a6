//! Typed arrays and data views over buffers that are resized and detached under them, beside vectors of bytes and conversions
//! that are written plainly.

use super::pick;
use arbitrary::Arbitrary;
use tumulus_arraybuffer::{
    ArrayBuffer, Buffer, Cursor, DataView, DetachKey, Element, ElementKind, Endian, Error, Layout, SharedArrayBuffer,
    TypedArray, atomics,
};
use tumulus_heap::Heap;

#[derive(Copy, Clone, Debug, Arbitrary)]
enum Op {
    View { kind: u8, offset: u8, length: Option<u8> },
    DataView { offset: u8, length: Option<u8> },
    Set { view: u8, index: u8, value: Value },
    Fill { view: u8, value: Value, start: Place, end: Option<Place> },
    CopyWithin { view: u8, target: Place, start: Place, end: Option<Place> },
    Slice { view: u8, start: Place, end: Option<Place> },
    Subarray { view: u8, start: Place, end: Option<Place> },
    SetFrom { view: u8, source: u8, offset: u8 },
    Sort { view: u8 },
    Reverse { view: u8 },
    Search { view: u8, value: Value, from: Place },
    SetData { view: u8, kind: u8, at: u8, value: Value, little: bool },
    Update { view: u8, index: u8, value: Value, how: u8 },
    Resize { bytes: u8 },
    Detach,
    Collect,
}

/// Numbers that matter more often than noise does.
#[derive(Copy, Clone, Debug, Arbitrary)]
enum Value {
    Small(i16),
    Float(f64),
    Near(u8, i8),
    BigInt(i128),
}

impl Value {
    fn element(self) -> Element {
        match self {
            Value::Small(value) => Element::Number(value.into()),
            Value::Float(value) => Element::Number(value),
            // Near a power of two.
            Value::Near(power, by) => Element::Number(2_f64.powi((power % 70).into()) + f64::from(by) / 2.0),
            Value::BigInt(value) => Element::BigInt(value),
        }
    }
}

/// A relative index.
#[derive(Copy, Clone, Debug, Arbitrary)]
enum Place {
    At(i8),
    Any(f64),
}

impl Place {
    fn number(self) -> f64 {
        match self {
            Place::At(place) => place.into(),
            Place::Any(place) => place,
        }
    }

    /// Which of so many it is.
    fn among(self, length: usize) -> usize {
        let place = self.number().trunc();
        let place = if place.is_nan() { 0.0 } else { place };
        let place = if place < 0.0 { (length as f64 + place).max(0.0) } else { place.min(length as f64) };
        #[expect(clippy::cast_sign_loss, reason = "it is between 0 and the length")]
        return place as usize;
    }
}

fn range(start: Place, end: Option<Place>, length: usize) -> std::ops::Range<usize> {
    let start = start.among(length);
    start..end.map_or(length, |end| end.among(length)).max(start)
}

/// What a view was made as.
#[derive(Copy, Clone)]
struct View {
    array: TypedArray,
    kind: ElementKind,
    start: usize,
    length: Option<usize>,
}

struct World {
    heap: Heap,
    buffer: Buffer,
    /// `None` when it is detached.
    bytes: Option<Vec<u8>>,
    resizable: bool,
    views: Vec<View>,
    data: Vec<(DataView, usize, Option<usize>)>,
}

#[derive(Debug, Arbitrary)]
struct Case {
    bytes: u8,
    resizable: bool,
    shared: bool,
    ops: Vec<Op>,
}

const MAX: u64 = 255;

pub(super) fn run(bytes: &[u8]) {
    let Some(mut case) = super::read::<Case>(bytes) else { return };
    case.ops.truncate(150);
    let mut heap = Heap::builder().build();
    let layout = Layout::new(case.bytes.into());
    let layout = if case.resizable { layout.max(MAX) } else { layout };
    let buffer: Buffer = if case.shared {
        SharedArrayBuffer::new(&mut heap, layout).expect("there is room").into()
    } else {
        ArrayBuffer::new(&mut heap, layout).expect("there is room").into()
    };
    let bytes = Some(vec![0; case.bytes.into()]);
    let mut world = World { heap, buffer, bytes, resizable: case.resizable, views: Vec::new(), data: Vec::new() };
    for op in case.ops {
        // An operation for which there is nothing.
        let _ = world.step(op);
        world.check();
    }
    world.heap.verify().expect("in order");
}

/// The bytes of an element, by the plainest means; `None` for the wrong content type.
fn encode(kind: ElementKind, element: Element) -> Option<Vec<u8>> {
    let modular = |bits: u32| match element {
        // An integer of up to a thousand bits, exactly.
        Element::Number(number) if number.is_finite() => {
            let (integer, modulus) = (number.trunc(), 2_f64.powi(bits.cast_signed()));
            let rest = integer % modulus;
            let rest = if rest < 0.0 { rest + modulus } else { rest };
            #[expect(clippy::cast_sign_loss, reason = "it is not negative")]
            Some(rest as u64)
        }
        Element::Number(_) => Some(0),
        Element::BigInt(_) => None,
    };
    let number = match element {
        Element::Number(number) => Some(number),
        Element::BigInt(_) => None,
    };
    Some(match kind {
        ElementKind::Int8 | ElementKind::Uint8 => vec![modular(8)? as u8],
        ElementKind::Uint8Clamped => {
            let number = number?;
            let low = number.floor();
            let rounded = match number - low {
                half if half < 0.5 => low,
                half if half > 0.5 => low + 1.0,
                _ if low % 2.0 == 0.0 => low,
                _ => low + 1.0,
            };
            #[expect(clippy::cast_sign_loss, reason = "a cast saturates, and NaN is 0")]
            let byte = if number >= 255.0 { 255 } else { rounded as u8 };
            vec![byte]
        }
        ElementKind::Int16 | ElementKind::Uint16 => (modular(16)? as u16).to_ne_bytes().to_vec(),
        ElementKind::Int32 | ElementKind::Uint32 => (modular(32)? as u32).to_ne_bytes().to_vec(),
        ElementKind::Float16 => half::f16::from_f64_const(number?).to_ne_bytes().to_vec(),
        ElementKind::Float32 => (number? as f32).to_ne_bytes().to_vec(),
        ElementKind::Float64 => number?.to_ne_bytes().to_vec(),
        ElementKind::BigInt64 | ElementKind::BigUint64 => match element {
            Element::BigInt(value) => value.rem_euclid(1 << 64).cast_unsigned().to_ne_bytes()[..8].to_vec(),
            Element::Number(_) => return None,
        },
    })
}

/// Whether these are the bytes of a NaN, of which there are many.
fn is_nan(kind: ElementKind, bytes: &[u8]) -> bool {
    match kind {
        ElementKind::Float16 => half::f16::from_ne_bytes([bytes[0], bytes[1]]).is_nan(),
        ElementKind::Float32 => f32::from_ne_bytes(bytes.try_into().expect("four")).is_nan(),
        ElementKind::Float64 => f64::from_ne_bytes(bytes.try_into().expect("eight")).is_nan(),
        _ => false,
    }
}

impl World {
    /// Where the elements of a view are now, in bytes.
    fn extent(&self, start: usize, length: Option<usize>, size: usize) -> Option<std::ops::Range<usize>> {
        let available = self.bytes.as_ref()?.len();
        let end = length.map_or(available, |length| start + length * size);
        (start <= end && end <= available).then(|| start..start + (end - start) / size * size)
    }

    fn view(&self, view: u8) -> Option<(View, Option<std::ops::Range<usize>>)> {
        let view = pick(&self.views, view)?;
        Some((view, self.extent(view.start, view.length, view.kind.size())))
    }

    /// Bytes that the model does not work out, read back.
    fn read_back(&mut self) {
        let Some(bytes) = &mut self.bytes else { return };
        let whole = TypedArray::new(&mut self.heap, ElementKind::Uint8, self.buffer, 0, None).expect("it is attached");
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = whole.get_as(&self.heap, at).expect("it is attached");
        }
    }

    #[expect(clippy::too_many_lines, reason = "an arm for each operation")]
    fn step(&mut self, op: Op) -> Option<()> {
        match op {
            Op::View { kind, offset, length } => self.make_view(pick(&ElementKind::ALL, kind)?, offset.into(), length),
            Op::DataView { offset, length } => {
                let made = DataView::new(&mut self.heap, self.buffer, offset.into(), length.map(u64::from));
                let available = self.bytes.as_ref().map(Vec::len);
                let end = usize::from(offset) + length.map_or(0, usize::from);
                assert_eq!(made.is_ok(), available.is_some_and(|available| end <= available), "{made:?}");
                let available = available?;
                let length =
                    length.map(usize::from).or((!self.resizable).then(|| available.saturating_sub(offset.into())));
                self.data.push((made.ok()?, offset.into(), length));
            }
            Op::Set { view, index, value } => {
                let (view, extent) = self.view(view)?;
                let index = usize::from(index);
                let result = view.array.set(&mut self.heap, index, value.element());
                let Some(encoded) = encode(view.kind, value.element()) else {
                    assert!(matches!(result, Err(Error::ContentType { .. })), "{result:?}");
                    return None;
                };
                let size = view.kind.size();
                let is_inside = extent.as_ref().is_some_and(|extent| index < extent.len() / size);
                assert_eq!(result, Ok(is_inside));
                if is_inside {
                    self.write(view.kind, extent?.start + index * size, &encoded);
                }
            }
            Op::Fill { view, value, start, end } => {
                let (view, extent) = self.view(view)?;
                let filled = view.array.validate_to_write(&self.heap, "fill").and_then(|witness| {
                    witness.fill(&mut self.heap, value.element(), start.number(), end.map(Place::number))
                });
                let encoded = encode(view.kind, value.element());
                assert_eq!(filled.is_ok(), extent.is_some() && encoded.is_some(), "{filled:?}");
                let (extent, encoded, size) = (extent?, encoded?, view.kind.size());
                for index in range(start, end, extent.len() / size) {
                    self.write(view.kind, extent.start + index * size, &encoded);
                }
            }
            Op::CopyWithin { view, target, start, end } => {
                let (view, extent) = self.view(view)?;
                let copied = view.array.validate_to_write(&self.heap, "copyWithin").and_then(|witness| {
                    witness.copy_within(&mut self.heap, target.number(), start.number(), end.map(Place::number))
                });
                assert_eq!(copied.is_ok(), extent.is_some(), "{copied:?}");
                let (extent, size) = (extent?, view.kind.size());
                let length = extent.len() / size;
                let (from, to) = (range(start, end, length), target.among(length));
                let count = from.len().min(length - to);
                let from = extent.start + from.start * size;
                self.bytes.as_mut()?.copy_within(from..from + count * size, extent.start + to * size);
            }
            Op::Slice { view, start, end } => {
                let (view, extent) = self.view(view)?;
                let slice = view
                    .array
                    .validate(&self.heap, "slice")
                    .and_then(|witness| witness.slice(&mut self.heap, start.number(), end.map(Place::number)));
                assert_eq!(slice.is_ok(), extent.is_some(), "{slice:?}");
                let (slice, extent, size) = (slice.ok()?, extent?, view.kind.size());
                let range = range(start, end, extent.len() / size);
                let expected = &self.bytes.as_ref()?[extent.start + range.start * size..][..range.len() * size];
                let buffer = slice.buffer(&self.heap);
                let whole =
                    TypedArray::new(&mut self.heap, ElementKind::Uint8, buffer, 0, None).expect("it is attached");
                assert_eq!(whole.as_slice::<u8>(&self.heap).expect("it is not shared"), expected);
            }
            Op::Subarray { view, start, end } => {
                let (view, extent) = self.view(view)?;
                let made = view.array.subarray(&mut self.heap, start.number(), end.map(Place::number));
                let (extent, size) = (extent?, view.kind.size());
                let range = range(start, end, extent.len() / size);
                let length = (view.length.is_some() || end.is_some() || !self.resizable).then_some(range.len());
                let Ok(array) = made else { panic!("{made:?}") };
                self.views.push(View { array, kind: view.kind, start: extent.start + range.start * size, length });
            }
            Op::SetFrom { view, source, offset } => self.set_from(view, source, offset.into())?,
            Op::Sort { view } => {
                let (view, extent) = self.view(view)?;
                let sorted =
                    view.array.validate_to_write(&self.heap, "sort").and_then(|witness| witness.sort(&mut self.heap));
                assert_eq!(sorted.is_ok(), extent.is_some(), "{sorted:?}");
                let length = extent?.len() / view.kind.size();
                let elements: Vec<Element> =
                    (0..length).map(|index| view.array.get(&self.heap, index).expect("it is inside")).collect();
                assert!(elements.windows(2).all(|pair| pair[0].order(&pair[1]).is_le()), "{elements:?}");
                self.expect_same_elements(view);
            }
            Op::Reverse { view } => {
                let (view, extent) = self.view(view)?;
                let done = view
                    .array
                    .validate_to_write(&self.heap, "reverse")
                    .and_then(|witness| witness.reverse(&mut self.heap));
                assert_eq!(done.is_ok(), extent.is_some(), "{done:?}");
                let (extent, size) = (extent?, view.kind.size());
                let bytes = &mut self.bytes.as_mut()?[extent];
                let reversed: Vec<u8> = bytes.chunks(size).rev().flatten().copied().collect();
                bytes.copy_from_slice(&reversed);
            }
            Op::Search { view, value, from } => {
                let (view, extent) = self.view(view)?;
                let Ok(witness) = view.array.validate(&self.heap, "indexOf") else {
                    assert_eq!(extent, None);
                    return None;
                };
                let elements: Vec<Option<Element>> =
                    (0..witness.length()).map(|index| view.array.get(&self.heap, index)).collect();
                let begin = from.among(elements.len());
                let found = elements[begin..].iter().position(|&it| it == Some(value.element())).map(|at| at + begin);
                assert_eq!(witness.index_of(&self.heap, value.element(), from.number()), found);
                let last = elements.iter().rposition(|&it| it == Some(value.element()));
                assert_eq!(witness.last_index_of(&self.heap, value.element(), None), last);
            }
            Op::SetData { view, kind, at, value, little } => {
                let (view, start, length) = pick(&self.data, view)?;
                let kind = pick(&ElementKind::ALL, kind)?;
                let order = if little { Endian::Little } else { Endian::Big };
                let result = view.set(&mut self.heap, kind, at.into(), value.element(), order);
                let extent = self.extent(start, length, 1);
                let (at, size) = (usize::from(at), kind.size());
                let is_inside = extent.as_ref().is_some_and(|extent| at + size <= extent.len());
                let encoded = encode(kind, value.element());
                assert_eq!(result.is_ok(), is_inside && encoded.is_some(), "{result:?}");
                if let (true, Some(mut encoded)) = (is_inside, encoded) {
                    if little != cfg!(target_endian = "little") {
                        encoded.reverse();
                    }
                    let place = start + at;
                    let number = view.get(&self.heap, kind, at as u64, order);
                    assert!(number.is_ok(), "{number:?}");
                    self.bytes.as_mut()?[place..place + size].copy_from_slice(&encoded);
                    if matches!(number, Ok(Element::Number(number)) if number.is_nan()) {
                        self.read_back();
                    }
                }
            }
            Op::Update { view, index, value, how } => self.update(view, index.into(), value.element(), how)?,
            Op::Resize { bytes } => {
                let result = match self.buffer {
                    Buffer::Plain(buffer) => buffer.resize(&mut self.heap, bytes.into()),
                    Buffer::Shared(buffer) => buffer.grow(&mut self.heap, bytes.into()),
                };
                let bytes = usize::from(bytes);
                let is_shared = matches!(self.buffer, Buffer::Shared(_));
                let now = self.bytes.as_mut();
                let fits = self.resizable && now.as_ref().is_some_and(|now| !is_shared || bytes >= now.len());
                assert_eq!(result.is_ok(), fits, "{result:?}");
                if fits {
                    now?.resize(bytes, 0);
                }
            }
            Op::Detach => {
                let Buffer::Plain(buffer) = self.buffer else { return None };
                buffer.detach(&mut self.heap, DetachKey::Undefined).expect("nothing forbids it");
                self.bytes = None;
            }
            Op::Collect => {
                let views: Vec<TypedArray> = self.views.iter().map(|view| view.array).collect();
                let data: Vec<DataView> = self.data.iter().map(|(view, ..)| *view).collect();
                self.heap.collect(&(self.buffer, views, data));
            }
        }
        Some(())
    }

    fn make_view(&mut self, kind: ElementKind, offset: usize, length: Option<u8>) {
        let made = TypedArray::new(&mut self.heap, kind, self.buffer, offset as u64, length.map(u64::from));
        let size = kind.size();
        let Some(available) = self.bytes.as_ref().map(Vec::len) else {
            assert!(made.is_err());
            return;
        };
        let fits = match length {
            Some(length) => offset + usize::from(length) * size <= available,
            None => offset <= available && (self.resizable || available.is_multiple_of(size)),
        };
        assert_eq!(made.is_ok(), fits && offset.is_multiple_of(size), "{made:?}");
        if let Ok(array) = made {
            let fixed = (!self.resizable).then(|| (available - offset) / size);
            self.views.push(View { array, kind, start: offset, length: length.map(usize::from).or(fixed) });
        }
    }

    fn write(&mut self, kind: ElementKind, at: usize, encoded: &[u8]) {
        let bytes = self.bytes.as_mut().expect("it is attached");
        bytes[at..at + encoded.len()].copy_from_slice(encoded);
        if is_nan(kind, encoded) {
            self.read_back();
        }
    }

    /// After an operation that moves elements and changes none.
    fn expect_same_elements(&mut self, view: View) {
        let before = self.bytes.clone().expect("it is attached");
        self.read_back();
        let after = self.bytes.as_ref().expect("it is attached");
        let extent = self.extent(view.start, view.length, view.kind.size()).expect("it is inside");
        let sorted = |bytes: &[u8]| {
            let mut elements: Vec<Vec<u8>> =
                bytes[extent.clone()].chunks(view.kind.size()).map(<[u8]>::to_vec).collect();
            // Of the NaNs nobody promises which.
            elements.iter_mut().filter(|it| is_nan(view.kind, it)).for_each(|it| it.fill(0xff));
            elements.sort();
            elements
        };
        assert_eq!(sorted(&before), sorted(after), "an element is lost, or comes from nowhere");
        assert_eq!((&before[..extent.start], &before[extent.end..]), (&after[..extent.start], &after[extent.end..]));
    }

    fn set_from(&mut self, view: u8, source: u8, offset: usize) -> Option<()> {
        let (to, to_extent) = self.view(view)?;
        let (from, from_extent) = self.view(source)?;
        let elements: Vec<Option<Element>> =
            (0..from.array.length(&self.heap)).map(|index| from.array.get(&self.heap, index)).collect();
        let result = to.array.set_from_array(&mut self.heap, from.array, offset as f64);
        let (Some(to_extent), Some(from_extent)) = (to_extent, from_extent) else {
            assert!(result.is_err());
            return None;
        };
        let fits = offset + from_extent.len() / from.kind.size() <= to_extent.len() / to.kind.size();
        let is_alike = from.kind.is_big_int() == to.kind.is_big_int();
        assert_eq!(result.is_ok(), fits && is_alike, "{result:?}");
        if result.is_ok() {
            for (index, element) in elements.into_iter().enumerate() {
                let encoded = encode(to.kind, element?).expect("of the same content");
                self.write(to.kind, to_extent.start + (offset + index) * to.kind.size(), &encoded);
            }
            // Between kinds that agree in their bits NaNs are copied as they are.
            self.read_back();
        }
        Some(())
    }

    fn update(&mut self, view: u8, index: usize, value: Element, how: u8) -> Option<()> {
        let (view, extent) = self.view(view)?;
        let access = atomics::access(&self.heap, view.array, index as u64);
        let is_integer = !matches!(
            view.kind,
            ElementKind::Float16 | ElementKind::Float32 | ElementKind::Float64 | ElementKind::Uint8Clamped
        );
        let size = view.kind.size();
        let is_inside = extent.as_ref().is_some_and(|extent| index < extent.len() / size);
        assert_eq!(access.is_ok(), is_integer && is_inside, "{access:?}");
        let access = access.ok()?;
        let before = access.load(&self.heap).expect("it is inside");
        let done = match how % 5 {
            0 => access.add(&mut self.heap, value),
            1 => access.and(&mut self.heap, value),
            2 => access.xor(&mut self.heap, value),
            3 => access.exchange(&mut self.heap, value),
            _ => access.compare_exchange(&mut self.heap, before, value),
        };
        let Some(operand) = encode(view.kind, value) else {
            assert!(matches!(done, Err(Error::ContentType { .. })), "{done:?}");
            return None;
        };
        assert_eq!(done, Ok(before));
        let place = extent?.start + index * size;
        let bytes = &mut self.bytes.as_mut()?[place..place + size];
        let number = |bytes: &[u8]| {
            let mut wide = [0; 8];
            wide[..bytes.len()].copy_from_slice(bytes);
            // The model is for machines that keep the low bytes first; others read what was written back.
            u64::from_le_bytes(wide)
        };
        let (old, operand) = (number(bytes), number(&operand));
        let new = match how % 5 {
            0 => old.wrapping_add(operand),
            1 => old & operand,
            2 => old ^ operand,
            _ => operand,
        };
        bytes.copy_from_slice(&new.to_le_bytes()[..size]);
        if cfg!(target_endian = "big") {
            self.read_back();
        }
        Some(())
    }

    fn check(&mut self) {
        let views: Vec<View> = self.views.clone();
        for view in &views {
            let extent = self.extent(view.start, view.length, view.kind.size());
            assert_eq!(view.array.is_out_of_bounds(&self.heap), extent.is_none());
            let length = extent.clone().map_or(0, |extent| extent.len() / view.kind.size());
            assert_eq!(view.array.length(&self.heap), length);
            assert_eq!(view.array.byte_offset(&self.heap), extent.map_or(0, |extent| extent.start));
            assert_eq!(view.array.get(&self.heap, length), None);
        }
        if let Some(view) = views.last() {
            let mut cursor = Cursor::new(view.array);
            let steps = std::iter::from_fn(|| cursor.next(&self.heap).ok().flatten()).count();
            assert_eq!(steps, view.array.length(&self.heap));
        }
        for (view, start, length) in &self.data {
            let extent = self.extent(*start, *length, 1);
            assert_eq!(view.byte_length(&self.heap).ok(), extent.map(|extent| extent.len()));
        }
        assert_eq!(self.buffer.byte_length(&self.heap), self.bytes.as_ref().map_or(0, Vec::len));
        if let Some(bytes) = self.bytes.clone() {
            self.read_back();
            assert_eq!(self.bytes.as_ref(), Some(&bytes), "bytes are not what was written");
        }
    }
}
