//! When a safepoint has something to do.
//!
//! A safepoint compares one number, and goes on if it is not reached. Two may wait for it: the collector, and a witness that
//! wants to be told of safepoints at which the collector has nothing to do. The number is the lesser of theirs, and the
//! collector's is kept as how much later it is; so what moves one moves both.

/// See the file's header. Bounds are in terms of the store's `taken_bytes`.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Due {
    /// A safepoint has something to do from here on,
    at: u64,
    /// and the collector so many bytes later.
    later: u64,
    /// The witness wants to be told whenever so many bytes were taken since it was told last; `u64::MAX` if it does not.
    every: u64,
}

impl Default for Due {
    /// At once, for the collector alone.
    fn default() -> Due {
        Due { at: 0, later: 0, every: u64::MAX }
    }
}

impl Due {
    /// Whether a safepoint has anything to do.
    #[inline(always)]
    pub(crate) fn is_reached(&self, taken: u64) -> bool {
        taken >= self.at
    }

    /// Whether it is the collector that has.
    pub(crate) fn is_for_collector(&self, taken: u64) -> bool {
        taken >= self.for_collector()
    }

    fn for_collector(&self) -> u64 {
        self.at.saturating_add(self.later)
    }

    /// The collector has something to do at `bound`. The witness was told of what has happened by now.
    pub(crate) fn set(&mut self, bound: u64, taken: u64) {
        self.at = bound.min(taken.saturating_add(self.every));
        self.later = bound - self.at;
    }

    /// The collector has something to do at `bound`, if not before.
    pub(crate) fn hasten(&mut self, bound: u64) {
        self.later = self.for_collector().min(bound).saturating_sub(self.at);
        self.at = self.at.min(bound);
    }

    /// As if so many bytes more had been taken.
    #[inline]
    pub(crate) fn come_nearer(&mut self, bytes: u64) {
        match self.at.checked_sub(bytes) {
            Some(at) => self.at = at,
            None => self.come_past(bytes),
        }
    }

    #[cold]
    fn come_past(&mut self, bytes: u64) {
        self.later = self.later.saturating_sub(bytes - self.at);
        self.at = 0;
    }

    /// The witness has been told.
    pub(crate) fn told(&mut self, taken: u64) {
        self.set(self.for_collector(), taken);
    }

    /// From now on the witness wants to be told once for so many bytes; `None` for not at all.
    pub(crate) fn tell_every(&mut self, every: Option<u64>, taken: u64) {
        self.every = every.unwrap_or(u64::MAX);
        self.told(taken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever happens, the collector is at work when it would be if nobody were told.
    #[test]
    fn the_collector_does_not_depend_on_the_witness() {
        let mut random = 5_u64;
        let mut draw = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        let (mut taken, mut told) = (0, 0);
        let [mut plain, mut each, mut some] = [Due::default(); 3];
        each.tell_every(Some(0), taken);
        some.tell_every(Some(1000), taken);
        for _ in 0..if cfg!(miri) { 500 } else { 100_000 } {
            taken += draw(200);
            let (what, far, near) = (draw(40), draw(20_000), draw(4_000));
            for due in [&mut plain, &mut each, &mut some] {
                match what {
                    0 => due.set(taken + far, taken),
                    1 => due.set(u64::MAX, taken),
                    2 => due.set(0, taken),
                    3 => due.hasten(taken + near),
                    4..8 => due.come_nearer(near),
                    8 => due.come_nearer(u64::MAX),
                    _ => {}
                }
                assert!(due.is_reached(taken) || !due.is_for_collector(taken));
            }
            assert!(each.is_reached(taken));
            assert_eq!(plain.is_reached(taken), plain.is_for_collector(taken));
            assert_eq!(each.is_for_collector(taken), plain.is_reached(taken));
            assert_eq!(some.is_for_collector(taken), plain.is_reached(taken));
            if some.is_reached(taken) && !some.is_for_collector(taken) {
                some.told(taken);
                told += 1;
                let soon = taken + 999;
                assert!(!some.is_reached(taken));
                assert!(!some.is_reached(soon) || some.is_for_collector(soon));
            }
        }
        assert!(cfg!(miri) || told > 1000, "{told}");
        some.tell_every(None, taken);
        assert_eq!(some.is_reached(taken), plain.is_reached(taken));
    }
}
