//! One interpreter over three heaps, by the clock of the thread.
//!
//! Each round runs all contestants one after the other, in CPU time; the figures are medians. All compute the same.

use cpu_time::ThreadTime;
use std::hint::black_box;

/// An interpreter that has loaded a program whose function `main` is to be run.
pub trait Contestant {
    /// Runs `main`, and shows its result.
    fn run_main(&mut self) -> String;
}

/// Loads a program.
pub type Load = fn(&'static str) -> Box<dyn Contestant>;

/// The contestants with their names, ours first.
pub type Contestants = [(&'static str, Load); 3];

/// Name, program, and result.
pub type Workload = (&'static str, &'static str, &'static str);

const ROUNDS: usize = 11;

/// Measures all workloads, or those with the first argument in their name, and prints a table.
pub fn run(allocator: &str, contestants: &'static Contestants, workloads: &'static [Workload]) {
    // `cargo test` runs benches too, to see that they work.
    let rounds = if std::env::args().any(|arg| arg == "--bench") { ROUNDS } else { 1 };
    let wanted = std::env::args().skip(1).find(|arg| !arg.starts_with('-')).unwrap_or_default();
    let workloads: Vec<Workload> = workloads.iter().copied().filter(|(name, ..)| name.contains(&wanted)).collect();
    let measured = workloads.clone();
    let measure = move || measured.into_iter().map(|it| measure(contestants, it, rounds)).collect::<Vec<_>>();
    let thread = std::thread::Builder::new().stack_size(256 << 20).spawn(measure).expect("room for a stack");
    let results = thread.join().expect("no contestant panics");
    println!("CPU time of one run, on {allocator}; how many times as long as Tumulus in brackets\n");
    print!("{:<20}", "");
    for (name, _) in contestants {
        print!("{name:>24}");
    }
    println!();
    for ((name, ..), times) in workloads.iter().zip(results) {
        print!("{name:<20}");
        for time in times {
            print!("{:>14.2} ms ({:>4.2})", time * 1e3, time / times[0]);
        }
        println!();
    }
}

/// The median of the seconds that each contestant takes.
fn measure(contestants: &Contestants, (_, program, expected): Workload, rounds: usize) -> [f64; 3] {
    let mut loaded = contestants.map(|(_, load)| load(program));
    let mut times = [(); 3].map(|()| Vec::new());
    for round in 0..=rounds {
        for (contestant, times) in loaded.iter_mut().zip(&mut times) {
            let start = ThreadTime::now();
            let result = black_box(contestant.run_main());
            let time = start.elapsed().as_secs_f64();
            assert_eq!(result, expected);
            // The first round warms up.
            if round > 0 {
                times.push(time);
            }
        }
    }
    times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    })
}
