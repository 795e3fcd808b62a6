//! One bytecode machine over three heaps: its compiler and the guest programs are shared, values and machines are not.
//!
//! | contestant | its machine |
//! |---|---|
//! | Tumulus | that of the examples |
//! | `Rc<RefCell>` | the same, with clones; a property's name is a number, as in the next |
//! | gc-arena | the same in the arena's root; `mutate` is left every few hundred calls and back edges, as its documentation advises |

mod arena;
mod rc;

use crate::contest::{self, Contestant, Contestants, Workload};
use tumulus_examples::script::Machine;
use tumulus_examples::script::code::Program;
use tumulus_examples::script::compiler;
use tumulus_examples::script::natives::Native;
use tumulus_heap::Heap;

impl Contestant for Machine {
    fn run_main(&mut self) -> String {
        let value = self.run("return main();").expect("the program is right");
        self.show(value)
    }
}

fn tumulus(program: &'static str) -> Box<dyn Contestant> {
    let mut machine = Machine::new(Heap::builder());
    machine.run(program).expect("the program is right");
    Box::new(machine)
}

/// What a contestant of a bench runs: a program whose first globals are the natives, the function that defines what is in
/// it, and the one that is measured.
struct Compiled {
    program: &'static Program,
    start: usize,
    main: usize,
}

fn compile(text: &str) -> Compiled {
    let mut program = Program::default();
    for (name, _) in Native::ALL {
        program.globals.number(name);
    }
    let start = compiler::compile(&mut program, text).expect("it is a program");
    let main = compiler::compile(&mut program, "return main();").expect("it is a program");
    Compiled { program: Box::leak(Box::new(program)), start, main }
}

const CONTESTANTS: Contestants = [("Tumulus", tumulus), ("Rc<RefCell>", rc::load), ("gc-arena", arena::load)];

const WORKLOADS: &[Workload] = &[
    (
        "fib",
        "fn fib(n) { if n < 2 { return n; } return fib(n - 1) + fib(n - 2); }
         fn main() { return fib(25); }",
        "75025",
    ),
    (
        "binary trees",
        "fn tree(depth) { if depth == 0 { return [nil, nil]; } return [tree(depth - 1), tree(depth - 1)]; }
         fn check(tree) { if tree[0] == nil { return 1; } return 1 + check(tree[0]) + check(tree[1]); }
         let long = tree(14);
         fn main() {
             let n = 0; let sum = check(long);
             while n < 20 { sum = sum + check(tree(10)); n = n + 1; }
             return sum;
         }",
        "73707",
    ),
    (
        "objects, methods",
        "let point = {
             x: 0, y: 0,
             add: fn(other) { let sum = extend(point); sum.x = this.x + other.x; sum.y = this.y + other.y; return sum; }
         };
         fn main() {
             let one = extend(point); one.x = 1; one.y = 2;
             let sum = point; let n = 0;
             while n < 20000 { sum = sum.add(one); n = n + 1; }
             return sum.x + sum.y;
         }",
        "60000",
    ),
    (
        "closures",
        "fn counter(step) { let n = 0; return fn() { n = n + step; return n; }; }
         fn main() {
             let total = 0; let k = 0;
             while k < 5000 { let next = counter(k); next(); next(); total = total + next(); k = k + 1; }
             return total;
         }",
        "37492500",
    ),
    (
        "string building",
        "fn build(n) { let text = \"\"; while n > 0 { text = text + str(n); n = n - 1; } return text; }
         fn main() { let length = 0; let n = 0; while n < 300 { length = length + len(build(100)); n = n + 1; } return length; }",
        "57600",
    ),
    (
        "hash tables",
        "fn fill(n) {
             let o = {};
             o.a = n; o.b = n; o.c = n; o.d = n; o.e = n; o.f = n; o.g = n; o.h = n; o.i = n; o.j = n; o.k = n; o.l = n;
             return o;
         }
         fn main() {
             let total = 0; let n = 0;
             while n < 5000 { let o = fill(n); total = total + o.a + o.f + o.l; n = n + 1; }
             return total;
         }",
        "37492500",
    ),
    (
        "arrays, in place",
        "let v = []; let n = 0; while n < 1000 { push(v, 1); n = n + 1; }
         fn main() {
             let turn = 0;
             while turn < 100 { let n = 0; while n < 1000 { v[n] = v[n] + 1; n = n + 1; } turn = turn + 1; }
             return len(v);
         }",
        "1000",
    ),
];

/// Measures all workloads, and prints a table.
pub fn main(allocator: &str) {
    contest::run(allocator, &CONTESTANTS, WORKLOADS);
}
