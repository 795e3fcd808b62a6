//! What a run tells is what happened.

use std::time::Duration;
use tumulus_arraybuffer::ArrayBuffer;
use tumulus_heap::Gc;
use tumulus_simulator::outcome::{End, Kind, Outcome, Reason, Weight};
use tumulus_simulator::workloads::Workload;
use tumulus_simulator::{HeapOptions, Session, Setup, Stop, run, show};

/// A workload that is a function.
struct Program<F>(F);

impl<F: FnMut(&mut Session) -> Result<u64, Stop>> Workload for Program<F> {
    fn run(&mut self, session: &mut Session) -> Result<u64, Stop> {
        (self.0)(session)
    }
}

fn options(text: &str) -> HeapOptions {
    toml::from_str(&format!("zeal = 'none'\n{text}")).expect("options")
}

fn outcome(text: &str, program: impl FnMut(&mut Session) -> Result<u64, Stop>) -> Outcome {
    run(&mut Program(program), Setup { options: options(text), ..Setup::default() }).expect("a heap")
}

fn is_found(outcome: &Outcome, about: &str) -> bool {
    outcome.findings.iter().any(|finding| finding.about == about)
}

/// Allocates and drops; keeps one in `keep`.
fn churn(session: &mut Session, objects: u64, keep: u64) -> Result<u64, Stop> {
    let mut kept: Vec<Gc<[u64; 8]>> = Vec::new();
    for n in 0..objects {
        let object = session.heap().try_alloc([n; 8])?;
        if n % keep == 0 {
            kept.push(object);
        }
        session.done(1);
        session.safepoint(&kept)?;
    }
    session.collect(&kept)?;
    Ok(kept.iter().map(|&object| session.heap()[object][0]).sum())
}

#[test]
fn each_collection_is_told_and_what_is_told_adds_up() {
    let outcome = outcome("nursery = '64k'\nmin-heap = '256k'", |session| churn(session, 50_000, 50));
    let totals: u64 = outcome.totals.iter().map(|row| row.collections).sum();
    assert_eq!(outcome.collections.len() as u64 + outcome.collections_left_out, totals);
    assert!(outcome.collections.iter().zip(1..).all(|(collection, number)| collection.number == number));
    for kind in [Kind::Minor, Kind::Full] {
        let of_kind = || outcome.collections.iter().filter(|collection| collection.kind == kind);
        let row = outcome.totals.iter().filter(|row| row.kind == kind);
        let freed: u64 = row.map(|row| row.freed_bytes).sum();
        assert_eq!(of_kind().map(|collection| collection.freed_bytes).sum::<u64>(), freed);
        assert!(of_kind().count() > 0);
    }
    let slices: u64 = outcome.collections.iter().map(|collection| collection.slices).sum();
    assert!(outcome.pauses.all.count >= slices, "{} pauses, {slices} slices", outcome.pauses.all.count);
    assert_eq!(outcome.pauses.all.count, outcome.pauses.minor.count + outcome.pauses.full.count);
    assert_eq!(outcome.pauses.over_time.iter().map(|stretch| stretch.count).sum::<u64>(), outcome.pauses.all.count);
    assert_eq!(outcome.collections.last().unwrap().reason, Reason::Asked);
    assert_eq!(outcome.memory.live, 1000 * 80, "a thousand objects of 64 bytes are alive");
    assert_eq!(outcome.time.wall, outcome.time.collector + outcome.time.mutator);
    assert_eq!((outcome.operations, &outcome.end), (50_000, &End::Completed));
    assert!(outcome.curve.is_sorted_by_key(|sample| sample.at) && !outcome.curve.is_empty());
    assert!(
        outcome.census.types.iter().any(|row| row.name == "[u64; 8]" && row.objects == 1000),
        "{:?}",
        outcome.census
    );
}

#[test]
fn utilisation_grows_with_the_window_and_knows_the_longest_pause() {
    let outcome =
        outcome("nursery = 0\nmin-heap = '1m'\npause-budget = 'unlimited'", |session| churn(session, 60_000, 4));
    let shares = &outcome.utilisation;
    assert!(shares.iter().any(|share| share.window <= outcome.pauses.all.longest && share.least < 0.001), "{shares:?}");
    assert!(shares.last().unwrap().least > 0.0, "{shares:?}");
}

#[test]
fn the_same_seed_gives_the_same_collections() {
    let lines = |seed: u64| {
        let page = Page::default();
        let mut program = Program(|session: &mut Session| {
            let mut kept: Vec<Gc<[u64]>> = Vec::new();
            for _ in 0..20_000 {
                let length = session.random().usize(1..40);
                kept.push(session.heap().try_alloc_slice(&vec![1; length])?);
                if kept.len() > 500 {
                    let at = session.random().usize(..kept.len());
                    kept.swap_remove(at);
                }
                session.safepoint(&kept)?;
            }
            Ok(kept.len() as u64)
        });
        let logs: Vec<(_, Box<dyn std::io::Write>)> = vec![(tumulus_heap::LogFormat::Plain, Box::new(page.clone()))];
        let options = options("nursery = '64k'\nmin-heap = '256k'");
        run(&mut program, Setup { seed, logs, options, ..Setup::default() }).expect("a heap");
        page.text()
    };
    let first = lines(1);
    assert!(first.lines().count() > 5, "{first}");
    assert_eq!(first, lines(1), "byte for byte");
    assert_ne!(first, lines(2));
}

#[test]
fn a_program_that_runs_out_of_memory_has_an_outcome_with_figures() {
    let outcome = outcome("limit = '1m'", |session| churn(session, 1_000_000, 1));
    let End::OutOfMemory(words) = &outcome.end else { panic!("{:?}", outcome.end) };
    assert!(words.contains("the heap's limit is reached"), "{words}");
    assert!(outcome.operations > 5_000 && outcome.checksum.is_none());
    assert_eq!(outcome.findings[0].weight, Weight::Problem);
    assert!(outcome.findings[0].words.contains("ran out of memory"));
}

#[test]
fn a_leak_is_found_and_a_cache_that_is_full_is_not_one() {
    let leak = outcome("min-heap = '256k'\nnursery = 0", |session| churn(session, 100_000, 2));
    assert!(is_found(&leak, "growing"), "{:?}", leak.findings);
    let cache = outcome("min-heap = '256k'\nnursery = 0", |session| {
        let mut kept = Vec::new();
        for n in 0..100_000_u64 {
            kept.push(session.heap().try_alloc([n; 8])?);
            if kept.len() > 5_000 {
                kept.swap_remove(n as usize % 5_000);
            }
            session.safepoint(&kept)?;
        }
        Ok(0)
    });
    assert!(!is_found(&cache, "growing"), "{:?}", cache.findings);
    let filling = outcome("min-heap = '256k'\nnursery = 0\ngrowth = 1.2", |session| {
        let mut table: Vec<Option<Gc<[u64; 8]>>> = vec![None; 20_000];
        for n in 0..60_000 {
            let at = session.random().usize(..table.len());
            table[at] = Some(session.heap().try_alloc([n; 8])?);
            session.safepoint(&table)?;
        }
        Ok(0)
    });
    assert!(!is_found(&filling, "growing"), "it grows slower and slower: {:?}", filling.findings);
}

#[test]
fn frames_that_were_late_are_told() {
    let frames = |late: u64| {
        outcome("", |session| {
            for n in 0..100 {
                session.frame(Duration::from_millis(if n < late { 25 } else { 5 }), Duration::from_millis(16));
            }
            Ok(0)
        })
    };
    let late = frames(3);
    assert!(is_found(&late, "frames"), "{:?}", late.findings);
    let words = &late.findings.iter().find(|finding| finding.about == "frames").unwrap().words;
    assert!(words.starts_with("3 of 100 frames (3 %) took longer than 16.0 ms; the longest took 25.0 ms."), "{words}");
    assert!(show::table::of(&late).contains("of 100 frames, the longest 25.0 ms"));
    assert!(!is_found(&frames(0), "frames"));
}

#[test]
fn collections_that_external_memory_forces_are_told_apart() {
    let buffers = outcome("min-heap = '1m'", |session| {
        for _ in 0..200 {
            ArrayBuffer::new(session.heap(), 64 << 10)?;
            session.safepoint(&())?;
        }
        Ok(0)
    });
    assert!(is_found(&buffers, "external"), "{:?}", buffers.findings);
    assert!(buffers.memory.peak_external >= 512 << 10, "{:?}", buffers.memory);
    assert!(buffers.places.iter().any(|place| place.place.contains("telling.rs")), "{:?}", buffers.places);
    let objects = outcome("min-heap = '1m'\nnursery = 0", |session| churn(session, 100_000, 1000));
    assert!(!is_found(&objects, "external"), "{:?}", objects.findings);
}

#[test]
fn minor_collections_in_vain_are_advised_against() {
    let vain = outcome("nursery = '64k'\nmin-heap = '64m'", |session| {
        let mut kept = Vec::new();
        for n in 0..40_000_u64 {
            if n % 2_000 == 0 {
                kept.clear();
            }
            kept.push(session.heap().try_alloc([n; 8])?);
            session.safepoint(&kept)?;
        }
        Ok(0)
    });
    let survival = vain.findings.iter().find(|finding| finding.about == "survival");
    let minor: u64 = vain.totals.iter().filter(|row| row.kind == Kind::Minor).map(|row| row.collections).sum();
    assert!(minor < 4 || survival.is_some_and(|finding| finding.weight == Weight::Advice), "{:?}", vain.findings);
}

#[test]
fn an_interrupt_ends_a_run_at_a_safepoint() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    let interrupt = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&interrupt);
    let mut program = Program(move |session: &mut Session| {
        for n in 0_u64.. {
            if n == 1000 {
                asked.store(true, Ordering::Relaxed);
            }
            session.heap().try_alloc(n)?;
            session.done(1);
            session.safepoint(&())?;
        }
        Ok(0)
    });
    let outcome = run(&mut program, Setup { interrupt, ..Setup::default() }).expect("a heap");
    assert_eq!(outcome.end, End::Interrupted);
    assert!(outcome.operations > 999, "{}", outcome.operations);
}

#[test]
fn snapshots_are_made_at_equal_steps_and_their_time_does_not_count() {
    let folder = std::env::temp_dir().join(format!("tumulus-telling-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let paths: Vec<_> = (0..3).map(|number| folder.join(format!("{number}.heapsnapshot"))).collect();
    let mut program = Program(|session: &mut Session| {
        session.plan(4000);
        churn(session, 4000, 1)
    });
    let setup = Setup { snapshots: paths.clone(), options: options(""), ..Setup::default() };
    let outcome = run(&mut program, setup).expect("a heap");
    let objects = |path| {
        let snapshot = tumulus_snapshot::Snapshot::read(std::fs::File::open(path).unwrap()).unwrap();
        snapshot.named("[u64; 8]").count()
    };
    assert_eq!(paths.iter().map(objects).collect::<Vec<_>>(), [1000, 2000, 3000]);
    assert_eq!(outcome.end, End::Completed);
    std::fs::remove_dir_all(&folder).unwrap();
}

/// A writer whose text can be read.
#[derive(Clone, Default)]
struct Page(std::rc::Rc<std::cell::RefCell<Vec<u8>>>);

impl Page {
    fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).expect("a text")
    }
}

impl std::io::Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
