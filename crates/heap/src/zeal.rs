//! Zeal: modes that make a heap look for trouble.

use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::OnceLock;
use thiserror::Error;

/// The environment variable that [`Heap::new`](crate::Heap::new) reads.
pub(crate) const VARIABLE: &str = "TUMULUS_ZEAL";

/// Modes that trade speed for finding mistakes early, in the program or in this crate.
///
/// A program that forgets to root something works until a collection comes at the wrong moment. With
/// [`collect_every`](Zeal::collect_every) the wrong moment is every safepoint, so that the first run of a test finds
/// the mistake.
///
/// A heap takes its zeal from the builder, or else from the environment variable `TUMULUS_ZEAL`, which holds a list of
/// these words:
///
/// | word | mode |
/// |---|---|
/// | `collect` | a full collection at every safepoint |
/// | `every=N` | a full collection at every `N`th safepoint |
/// | `poison` | freed cells are filled with a pattern, which is checked when they are handed out again |
/// | `verify` | [`Heap::verify`](crate::Heap::verify) before and after each collection; a flaw panics |
/// | `no-reuse` | a cell is never handed out twice |
/// | `recheck` | what is marked is compared with a plain search of the heap; a difference panics |
/// | `minor` | of the collections that these force, seven in eight are minor ones |
/// | `slice=N` | they are done in slices of `N` units of work, one at each of these safepoints, one collection after the other |
/// | `all` | `collect`, `poison`, `verify` and `recheck` |
/// | `none` | nothing |
///
/// # Examples
///
/// ```
/// use tumulus_heap::{Heap, Zeal};
///
/// let zeal: Zeal = "every=3,poison".parse()?;
/// let mut heap = Heap::builder().zeal(zeal).build();
/// let gc = heap.alloc(1);
/// heap.safepoint(&());
/// heap.safepoint(&());
/// assert!(heap.contains(gc));
/// heap.safepoint(&()); // the third: nothing holds `gc`
/// assert!(!heap.contains(gc));
/// # Ok::<(), tumulus_heap::ParseZealError>(())
/// ```
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a mode of its own")]
pub struct Zeal {
    /// Collect at every so many safepoints, whether it is due or not.
    pub collect_every: Option<NonZeroU32>,
    /// Of the collections that `collect_every` forces, make seven in eight minor ones.
    pub minor: bool,
    /// Do the collections that are forced in slices of so many units of work: one at each of the safepoints that
    /// `collect_every` says, or at every safepoint if it says none. When a collection is complete, the next one begins.
    pub slice: Option<NonZeroU32>,
    /// Fill freed cells with a pattern, and check it when they are handed out.
    pub poison: bool,
    /// Verify the heap before and after each collection.
    pub verify: bool,
    /// Never hand out a cell twice. The heap's address range is used up in the end.
    pub no_reuse: bool,
    /// Compare what is marked with what a plain search reaches.
    pub recheck: bool,
}

impl Zeal {
    /// No zeal at all, whatever the environment says.
    ///
    /// ```
    /// use tumulus_heap::Zeal;
    ///
    /// assert_eq!(Zeal::none(), "none".parse()?);
    /// # Ok::<(), tumulus_heap::ParseZealError>(())
    /// ```
    pub fn none() -> Zeal {
        Zeal::default()
    }

    /// Whether collections are forced.
    pub(crate) fn forces_collections(&self) -> bool {
        self.collect_every.is_some() || self.slice.is_some()
    }

    /// What `TUMULUS_ZEAL` says; read once per process.
    pub(crate) fn from_environment() -> Result<Zeal, ParseZealError> {
        static ZEAL: OnceLock<Result<Zeal, ParseZealError>> = OnceLock::new();
        let read = || match std::env::var(VARIABLE) {
            Ok(words) => words.parse(),
            Err(std::env::VarError::NotPresent) => Ok(Zeal::none()),
            Err(std::env::VarError::NotUnicode(_)) => Err(ParseZealError { word: "what is not Unicode".into() }),
        };
        ZEAL.get_or_init(read).clone()
    }
}

impl FromStr for Zeal {
    type Err = ParseZealError;

    fn from_str(words: &str) -> Result<Zeal, ParseZealError> {
        let mut zeal = Zeal::none();
        for word in words.split([',', ' ']).filter(|word| !word.is_empty()) {
            match word {
                "none" => zeal = Zeal::none(),
                "collect" => zeal.collect_every = Some(NonZeroU32::MIN),
                "minor" => zeal.minor = true,
                "poison" => zeal.poison = true,
                "verify" => zeal.verify = true,
                "no-reuse" => zeal.no_reuse = true,
                "recheck" => zeal.recheck = true,
                "all" => {
                    zeal = Zeal {
                        collect_every: Some(NonZeroU32::MIN),
                        poison: true,
                        verify: true,
                        recheck: true,
                        ..zeal
                    };
                }
                _ => match word.split_once('=').and_then(|(name, count)| Some((name, count.parse().ok()?))) {
                    Some(("every", count)) => zeal.collect_every = Some(count),
                    Some(("slice", units)) => zeal.slice = Some(units),
                    _ => return Err(ParseZealError { word: word.into() }),
                },
            }
        }
        Ok(zeal)
    }
}

/// A word that is not a zeal mode.
///
/// # Examples
///
/// ```
/// use tumulus_heap::Zeal;
///
/// let error = "poison,colect".parse::<Zeal>().unwrap_err();
/// assert!(error.to_string().starts_with("\"colect\" is not a zeal mode"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{word:?} is not a zeal mode; the modes are collect, every=N, slice=N (N from 1), minor, poison, verify, no-reuse, \
     recheck, all, none"
)]
pub struct ParseZealError {
    word: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_the_wrong_ones_named() {
        let zeal: Zeal = "poison, every=7 verify,no-reuse,recheck,minor,slice=7".parse().unwrap();
        let every = NonZeroU32::new(7);
        let all = Zeal {
            collect_every: every,
            minor: true,
            slice: every,
            poison: true,
            verify: true,
            no_reuse: true,
            recheck: true,
        };
        assert_eq!(zeal, all);
        assert_eq!("".parse(), Ok(Zeal::none()));
        assert_eq!("all,none".parse(), Ok(Zeal::none()));
        assert_eq!("all".parse::<Zeal>().unwrap().collect_every, NonZeroU32::new(1));
        for wrong in ["every=0", "every=", "every", "poisson", "every=-1", "every=4294967296", "slice=0", "slices=1"] {
            let error = format!("poison,{wrong}").parse::<Zeal>().unwrap_err().to_string();
            assert!(error.contains(&format!("{wrong:?}")), "{error}");
        }
    }
}
