//! One Lisp over three heaps: its reader, its compiler and the guest programs are shared, values and evaluators are not.
//!
//! | contestant | its evaluator |
//! |---|---|
//! | Tumulus | that of the examples: recursive, a scope for each call |
//! | `Rc<RefCell>` | the same, with clones in place of scopes |
//! | gc-arena | keeps its continuations in the arena, so that it can leave `mutate` and collect while the guest runs, as its documentation advises |

mod arena;
mod rc;

use crate::contest::{self, Contestant, Contestants, Workload};
use tumulus_examples::lisp::Lisp;
use tumulus_examples::lisp::code::Program;
use tumulus_heap::Heap;

impl Contestant for Lisp {
    fn run_main(&mut self) -> String {
        let value = self.run("(main)").expect("the program is right");
        self.show(value)
    }
}

fn tumulus(program: &'static str) -> Box<dyn Contestant> {
    let mut lisp = Lisp::new(Heap::builder());
    lisp.run(program).expect("the program is right");
    Box::new(lisp)
}

/// What a contestant of a bench runs: a program, the functions that define what is in it, and the one that is measured.
struct Compiled {
    program: &'static Program,
    forms: Vec<usize>,
    main: usize,
}

fn compile(text: &str) -> Compiled {
    let mut program = Program::default();
    let forms = program.compile(text).expect("it is a program");
    let main = program.compile("(main)").expect("it is a program")[0];
    Compiled { program: Box::leak(Box::new(program)), forms, main }
}

const CONTESTANTS: Contestants = [("Tumulus", tumulus), ("Rc<RefCell>", rc::load), ("gc-arena", arena::load)];

const WORKLOADS: &[Workload] = &[
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

/// Measures all workloads, and prints a table.
pub fn main(allocator: &str) {
    contest::run(allocator, &CONTESTANTS, WORKLOADS);
}
