//! Where a command writes.

use super::Failure;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

/// Standard output, with colours where it is a terminal and nobody minds.
pub(super) type Output = anstream::AutoStream<std::io::StdoutLock<'static>>;

/// A new file.
pub(super) fn create(path: &Path) -> Result<BufWriter<File>, Failure> {
    File::create(path).map(BufWriter::new).map_err(Failure::at(path))
}
