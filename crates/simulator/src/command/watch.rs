//! What is shown while something runs: a bar where it takes long, and a line for each collection on request.

use crate::run::Progress;
use crate::show;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// What takes less than this needs no bar.
const SHORT: Duration = Duration::from_millis(700);

/// A bar that appears when a run takes long, on standard error, if that is a terminal.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    began: Instant,
    name: String,
    bar: Rc<RefCell<Option<ProgressBar>>>,
}

impl Watch {
    pub(super) fn new(name: &str) -> Watch {
        Watch { began: Instant::now(), name: name.into(), bar: Rc::default() }
    }

    /// Shows how far it is.
    pub(super) fn show(&self, state: &Progress) {
        if self.began.elapsed() < SHORT {
            return;
        }
        let mut bar = self.bar.borrow_mut();
        let bar = bar.get_or_insert_with(|| new_bar(&self.name, state.planned));
        bar.set_position(state.done);
        bar.set_message(format!("{} {}", show::count(state.done), state.phase));
    }

    /// Takes it away.
    pub(super) fn end(&self) {
        if let Some(bar) = self.bar.borrow_mut().take() {
            bar.finish_and_clear();
        }
    }

    /// Does what prints lines on standard error, with the bar out of the way.
    pub(super) fn beside<R>(&self, print: impl FnOnce() -> R) -> R {
        match &*self.bar.borrow() {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}

fn new_bar(name: &str, planned: Option<u64>) -> ProgressBar {
    let bar = match planned {
        Some(planned) => ProgressBar::with_draw_target(Some(planned), ProgressDrawTarget::stderr()),
        None => ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()),
    };
    let form = if planned.is_some() {
        "{prefix} {wide_bar} {percent:>3} %  {eta} left  {msg}"
    } else {
        "{prefix} {spinner} {elapsed}  {msg}"
    };
    let style = ProgressStyle::with_template(form).expect("the form is right");
    bar.with_style(style.progress_chars("█▉▊▋▌▍▎▏ ")).with_prefix(name.to_string())
}

/// A writer of lines on standard error, beside the bar. It has to be given whole lines.
#[derive(Debug)]
pub(super) struct Live {
    watch: Watch,
}

impl Live {
    pub(super) fn beside(watch: &Watch) -> Live {
        Live { watch: watch.clone() }
    }
}

impl Write for Live {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.watch.beside(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
