//! What the tests of both interpreters share.

/// A number of turns: fewer of them where every safepoint collects.
pub fn turns(usually: usize, under_zeal: usize) -> usize {
    let zeal = std::env::var("TUMULUS_ZEAL").unwrap_or_default();
    if zeal.is_empty() || zeal == "none" { usually } else { under_zeal }
}
