//! One Lisp over three heaps: its reader, its compiler and the guest programs are shared, values and evaluators are not.
//!
//! | contestant | its evaluator |
//! |---|---|
//! | Tumulus | that of the examples: recursive, a scope for each call |
//! | `Rc<RefCell>` | the same, with clones in place of scopes |
//! | gc-arena | keeps its continuations in the arena, so that it can leave `mutate` and collect while the guest runs, as its documentation advises |
//!
//! Each round runs all contestants one after the other, in CPU time; the figures are medians. All compute the same.

mod arena;
mod rc;

use cpu_time::ThreadTime;
use std::hint::black_box;
use tumulus_examples::lisp::Lisp;
use tumulus_heap::Heap;

/// A Lisp that has loaded a program whose function `main` is to be run.
pub trait Contestant {
    /// Runs `(main)` and shows its result.
    fn run_main(&mut self) -> String;
}

impl Contestant for Lisp {
    fn run_main(&mut self) -> String {
        let value = self.run("(main)").expect("the program is right");
        self.show(value)
    }
}

/// Loads a program.
type Load = fn(&'static str) -> Box<dyn Contestant>;

fn tumulus(program: &'static str) -> Box<dyn Contestant> {
    let mut lisp = Lisp::new(Heap::builder());
    lisp.run(program).expect("the program is right");
    Box::new(lisp)
}

const CONTESTANTS: [(&str, Load); 3] = [("Tumulus", tumulus), ("Rc<RefCell>", rc::load), ("gc-arena", arena::load)];

/// Name, program, and result.
const WORKLOADS: [(&str, &str, &str); 6] = [
    (
        "fib",
        "(define (fib n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2)))))
         (define (main) (fib 25))",
        "75025",
    ),
    (
        "binary trees",
        "(define (tree depth) (if (= depth 0) (cons '() '()) (cons (tree (- depth 1)) (tree (- depth 1)))))
         (define (check tree) (if (null? (car tree)) 1 (+ 1 (check (car tree)) (check (cdr tree)))))
         (define (trees n sum) (if (= n 0) sum (trees (- n 1) (+ sum (check (tree 10))))))
         (define long (tree 14))
         (define (main) (+ (trees 20 0) (check long)))",
        "73707",
    ),
    (
        "lists",
        "(define (range n list) (if (= n 0) list (range (- n 1) (cons n list))))
         (define (map f list) (if (null? list) '() (cons (f (car list)) (map f (cdr list)))))
         (define (sum list total) (if (null? list) total (sum (cdr list) (+ total (car list)))))
         (define (turns n total)
           (if (= n 0) total (turns (- n 1) (+ total (sum (map (lambda (x) (+ x n)) (range 500 '())) 0)))))
         (define (main) (turns 100 0))",
        "15050000",
    ),
    (
        "string building",
        "(define (build n text) (if (= n 0) text (build (- n 1) (string-append text (number->string n)))))
         (define (turns n length) (if (= n 0) length (turns (- n 1) (+ length (string-length (build 100 \"\"))))))
         (define (main) (turns 300 0))",
        "57600",
    ),
    (
        "hash tables",
        "(define (fill table n) (if (= n 0) table (begin (table-set! table n (list n)) (fill table (- n 1)))))
         (define (sum table n total) (if (= n 0) total (sum table (- n 1) (+ total (car (table-ref table n '(0)))))))
         (define (turns n total) (if (= n 0) total (turns (- n 1) (+ total (sum (fill (make-table) 1000) 1000 0)))))
         (define (main) (turns 40 0))",
        "20020000",
    ),
    (
        "vectors, in place",
        "(define v (make-vector 1000 1))
         (define (bump n) (if (= n 1000) n (begin (vector-set! v n (+ (vector-ref v n) 1)) (bump (+ n 1)))))
         (define (turns n) (if (= n 0) 'done (begin (bump 0) (turns (- n 1)))))
         (define (main) (turns 100))",
        "done",
    ),
];

const ROUNDS: usize = 11;

/// Measures all workloads, and prints a table.
pub fn main(allocator: &str) {
    // `cargo test` runs benches too, to see that they work.
    let rounds = if std::env::args().any(|arg| arg == "--bench") { ROUNDS } else { 1 };
    let wanted = std::env::args().skip(1).find(|arg| !arg.starts_with('-')).unwrap_or_default();
    let workloads: Vec<_> = WORKLOADS.into_iter().filter(|(name, ..)| name.contains(&wanted)).collect();
    let measured = workloads.clone();
    let measure = move || measured.into_iter().map(|workload| measure(workload, rounds)).collect::<Vec<_>>();
    let thread = std::thread::Builder::new().stack_size(256 << 20).spawn(measure).expect("room for a stack");
    let results = thread.join().expect("no contestant panics");
    println!("CPU time of one run, on {allocator}; how many times as long as Tumulus in brackets\n");
    print!("{:<20}", "");
    for (name, _) in CONTESTANTS {
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
fn measure((_, program, expected): (&str, &'static str, &str), rounds: usize) -> [f64; 3] {
    let mut loaded = CONTESTANTS.map(|(_, load)| load(program));
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
