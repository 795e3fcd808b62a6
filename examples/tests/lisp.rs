//! Guest programs in the Lisp: that they compute the right thing, stay within their heap, and outlive their own mistakes.

mod common;

use common::{expect, expect_error, turns};
use tumulus_examples::lisp::{Error, Lisp};
use tumulus_heap::Heap;

/// Runs a test on a thread with the stack that a recursive interpreter may need.
fn with_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(512 << 20).spawn(test).expect("room for a stack");
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn lisp() -> Lisp {
    Lisp::new(Heap::builder().limit(64 << 20))
}

#[test]
fn literals_and_arithmetic() {
    let mut lisp = lisp();
    expect(&mut lisp, "'(1 -2.5 #t () \"text\" (a b))", "(1 -2.5 #t () text (a b))");
    expect(&mut lisp, "(+ 1 2 3 (* 2 3 4) (quotient 7 2) (remainder 7 2))", "34");
    expect(
        &mut lisp,
        "(list (< 1 2) (> 1 2) (= 2 2) (not #f) (eq? 'a 'a) (equal? '(1 (2)) (list 1 (list 2))))",
        "(#t #f #t #t #t #t)",
    );
    expect(&mut lisp, "(cons 1 2)", "(1 . 2)");
    expect(&mut lisp, "(list (and) (and 1 2) (and 1 #f 2) (or #f 3) (or #f #f))", "(#t 2 #f 3 #f)");
    expect(&mut lisp, "(let ((l (list 1))) (set-cdr! l l) 'fine)", "fine");
}

#[test]
fn factorial() {
    with_stack(|| {
        let mut lisp = lisp();
        expect(
            &mut lisp,
            "(define (factorial n) (if (= n 0) 1 (* n (factorial (- n 1))))) (factorial 20)",
            "2432902008176640000",
        );
        expect(&mut lisp, "(define fact 7) (+ fact (factorial 5))", "127");
    });
}

#[test]
fn mutual_recursion_with_a_million_tail_calls() {
    let mut lisp = Lisp::new(Heap::builder().limit(1 << 20));
    let calls = turns(1_000_000, 300);
    let program = format!(
        "(define (even n) (if (= n 0) 'yes (odd (- n 1))))
         (define (odd n) (if (= n 0) 'no (even (- n 1))))
         (even {calls})"
    );
    expect(&mut lisp, &program, "yes"); // in one megabyte, and with no stack to speak of
}

#[test]
fn closures_share_their_variables_and_outlive_their_makers() {
    let mut lisp = lisp();
    expect(
        &mut lisp,
        "(define (counter) (let ((n 0)) (cons (lambda () (set! n (+ n 1)) n) (lambda () n))))
         (define one (counter))
         (define two (counter))
         ((car one)) ((car one)) ((car two)) (collect)
         (list ((cdr one)) ((cdr two)))",
        "(2 1)",
    );
    expect(
        &mut lisp,
        "(define (compose f g) (lambda (x) (f (g x)))) ((compose (lambda (x) (* x 2)) (lambda (x) (+ x 1))) 5)",
        "12",
    );
    expect(&mut lisp, "(define (add a) (lambda (b) (lambda (c) (+ a b c)))) (((add 1) 2) 3)", "6");
    expect(&mut lisp, "(define (call f x y) (f x y)) (list (call + 1 2) (call cons 1 2))", "(3 (1 . 2))");
}

#[test]
fn strings_are_built() {
    let mut lisp = lisp();
    let count = turns(2_000, 20);
    let program = format!(
        "(define (digits n text) (if (= n {count}) text (digits (+ n 1) (string-append text (number->string (remainder n 10))))))
         (define text (digits 0 \"\"))
         (list (string-length text) (substring text 3 7) (equal? text (string-append (substring text 0 9) (substring text 9 {count}))))"
    );
    expect(&mut lisp, &program, &format!("({count} 3456 #t)"));
}

#[test]
fn vectors() {
    let mut lisp = lisp();
    expect(
        &mut lisp,
        "(define (fill v n) (if (= n (vector-length v)) v (begin (vector-set! v n (list n)) (fill v (+ n 1)))))
         (define v (fill (make-vector 4 0) 0))
         (collect) v",
        "#((0) (1) (2) (3))",
    );
    expect(&mut lisp, "(vector-ref (vector 1 \"two\" 'three) 1)", "two");
    expect_error(&mut lisp, "(vector-ref v 4)", "a vector of 4 items has none at 4");
    expect_error(&mut lisp, "(vector-ref v -1)", "none at -1");
    expect_error(&mut lisp, "(vector-set! v (remainder 1 0) 'x)", "none at NaN");
    expect(
        &mut lisp,
        "(list (list->vector (cons 1 (cons 2 3))) (vector) (cons 1 (vector 2)))",
        "(#(1 2) #() (1 . #(2)))",
    );
    expect_error(&mut lisp, "(let ((l (list 1 2 3))) (set-cdr! (cdr (cdr l)) l) (list->vector l))", "back into itself");
}

#[test]
fn hash_tables() {
    let mut lisp = lisp();
    let keys = turns(5_000, 15);
    let program = format!(
        "(define table (make-table))
         (define (fill n) (if (= n {keys}) 'done (begin (table-set! table (number->string n) n) (table-set! table n (- 0 n)) (fill (+ n 1)))))
         (fill 0)
         (define (sum n total) (if (= n {keys}) total (sum (+ n 1) (+ total (table-ref table (number->string n) 'none) (table-ref table n 'none)))))
         (table-set! table 'a 1) (table-set! table 'a 2)
         (list (sum 0 0) (table-count table) (table-ref table 'a 0) (table-ref table \"missing\" 'none))"
    );
    expect(&mut lisp, &program, &format!("(0 {} 2 none)", 2 * keys + 1));
}

#[test]
fn weak_tables_let_go_of_their_keys() {
    let mut lisp = lisp();
    expect(
        &mut lisp,
        "(define notes (make-weak-table))
         (define kept (list 'kept))
         (define (note-some n) (if (= n 0) 'done (begin (let ((key (list n))) (table-set! notes key key)) (note-some (- n 1)))))
         (note-some 20)
         (table-set! notes kept \"a note\")
         'done",
        "done",
    );
    expect(
        &mut lisp,
        "(collect) (list (table-count notes) (table-ref notes kept 'none) (table-ref notes (list 'kept) 'none))",
        "(1 a note none)",
    );
    expect(&mut lisp, "(set! kept 0) 'done", "done");
    expect(&mut lisp, "(collect) (table-count notes)", "0");
    expect_error(&mut lisp, "(table-set! notes 1 2)", "the keys of a weak table are objects");
}

#[test]
fn errors_are_caught_and_the_program_goes_on() {
    let mut lisp = lisp();
    expect(&mut lisp, "(try (+ 1 (raise (list 'reason 5))) (lambda (e) (cons 'caught e)))", "(caught reason 5)");
    expect(&mut lisp, "(try (car 5) (lambda (e) e))", "car cannot be used with 5");
    expect(&mut lisp, "(try (nothing) (lambda (e) e))", "nothing is not defined");
    expect(&mut lisp, "(try ((lambda (x) x)) (lambda (e) e))", "lambda takes 1 arguments, not 0");
    expect(&mut lisp, "(try (try (raise 1) (lambda (e) (raise (+ e 1)))) (lambda (e) (list 'outer e)))", "(outer 2)");
    expect(&mut lisp, "(try 5 (lambda (e) 'never))", "5");
    expect_error(&mut lisp, "(raise \"nobody catches\")", "nobody catches");
    expect_error(&mut lisp, "(\"text\" 1)", "text cannot be called with 1 arguments");
    expect(&mut lisp, "'still-here", "still-here");
}

#[test]
fn call_cc_returns_from_wherever_it_is_called() {
    with_stack(|| {
        let mut lisp = lisp();
        expect(&mut lisp, "(+ 1 (call/cc (lambda (return) (+ 10 (return 5)))))", "6");
        expect(&mut lisp, "(call/cc (lambda (return) 5))", "5");
        expect(
            &mut lisp,
            "(define (find items wanted)
               (call/cc (lambda (return)
                 (let ((look (lambda (item) (if (= (car item) wanted) (return (list 'found item)) 'no))))
                   (each look items) 'nothing))))
             (define (each f list) (if (null? list) 'done (begin (f (car list)) (collect) (each f (cdr list)))))
             (list (find '((1 a) (2 b) (3 c)) 2) (find '((1 a)) 7))",
            "((found (2 b)) nothing)",
        );
        // It passes handlers by, and the inner one of two does not stop at the outer one.
        expect(&mut lisp, "(call/cc (lambda (out) (try (out (list 'past)) (lambda (e) 'caught))))", "(past)");
        expect(&mut lisp, "(call/cc (lambda (a) (+ 1 (call/cc (lambda (b) (a (list 1)))))))", "(1)");
        expect(&mut lisp, "(call/cc (lambda (a) (+ 1 (call/cc (lambda (b) (b 1))))))", "2");
        // There is no way back in.
        expect(
            &mut lisp,
            "(define kept (call/cc (lambda (k) k))) (try (kept 1) (lambda (e) e))",
            "the call/cc of this function has returned",
        );
        expect_error(&mut lisp, "(call/cc 5)", "5 cannot be called");
        expect_error(&mut lisp, "(call/cc (lambda (k) (k)))", "cannot be called with 0 arguments");
    });
}

#[test]
fn texts_that_are_no_programs() {
    let mut lisp = lisp();
    for (text, reason) in [
        ("(car", "not closed"),
        ("\"abc", "not closed"),
        (")", "without a `(`"),
        ("(car 1 2)", "car takes 1 arguments, not 2"),
        ("(define car 1)", "`car` is built in"),
        ("(lambda (1) 1)", "parameters are names"),
        ("(let ((a)) a)", "pairs of a name and a value"),
        ("(lambda (x) (define y x))", "top level"),
        ("(if)", "no proper use of `if`"),
        (&"(".repeat(100_000), "nested deeper"),
        (&format!("(list {})", "1 ".repeat(100_000)), "`list` takes 100 values at most"),
    ] {
        let error = lisp.run(text).expect_err(text);
        assert!(!matches!(error, Error::Uncaught(_)) && error.to_string().contains(reason), "{text}: {error}");
    }
    expect(&mut lisp, "1", "1");
}

#[test]
fn recursion_without_end_is_an_error_of_the_guest() {
    with_stack(|| {
        let mut lisp = lisp();
        lisp.state.max_stack = turns(16 << 20, 2 << 20);
        expect(&mut lisp, "(define (down n) (+ 1 (down n))) (try (down 0) (lambda (e) e))", "too-deep");
        // Each call takes a hundred times as much of the stack.
        let (open, close) = ("(+ 1 ".repeat(150), ")".repeat(150));
        let program = format!("(define (far n) {open}(far n){close}) (try (far 0) (lambda (e) e))");
        expect(&mut lisp, &program, "too-deep");
        expect(&mut lisp, "(define (count n) (if (= n 0) 0 (+ 1 (count (- n 1))))) (count 250)", "250");
    });
}

#[test]
fn an_exhausted_heap_is_an_error_of_the_guest_and_the_interpreter_goes_on() {
    // Under a zeal mode every safepoint looks at the whole heap, which should not be large then.
    let mut lisp = Lisp::new(Heap::builder().limit(turns(4 << 20, 384 << 10)));
    expect(
        &mut lisp,
        "(define (grow list) (grow (cons (make-vector 100 1) list))) (define before (list 1 2 3)) 'ready",
        "ready",
    );
    for _ in 0..3 {
        expect(&mut lisp, "(try (grow before) (lambda (e) (list e before)))", "(out-of-memory (1 2 3))");
    }
    expect(&mut lisp, "(try (make-vector 1000000000 0) (lambda (e) e))", "out-of-memory");
    expect_error(&mut lisp, "(grow '())", "out-of-memory");
    expect(
        &mut lisp,
        "(define (build n list) (if (= n 0) (car list) (build (- n 1) (cons n list)))) (build 100 '())",
        "1",
    );
    lisp.heap.verify().expect("the heap is in order");
}

#[test]
fn a_vector_that_fits_only_after_a_collection_is_made() {
    let mut lisp = Lisp::new(Heap::builder().limit(2 << 20));
    for _ in 0..20 {
        expect(&mut lisp, "(vector-length (make-vector 70000 0))", "70000"); // 1.1 of 2 MiB
    }
}

#[test]
fn an_endless_loop_that_makes_garbage_stays_within_the_limit() {
    let limit = 1 << 20;
    let mut lisp = Lisp::new(Heap::builder().limit(limit));
    let rounds = turns(200_000, 100);
    let program = format!(
        "(define (spin n) (if (= n {rounds}) 'done (begin (list n n n (number->string n)) (spin (+ n 1))))) (spin 0)"
    );
    expect(&mut lisp, &program, "done");
    let statistics = lisp.heap.statistics();
    assert!(statistics.peak_committed_bytes <= limit);
    assert!(statistics.allocated_bytes > 200 * rounds as u64, "{statistics:?}");
}

#[test]
fn what_is_loaded_is_kept_while_the_guest_overwrites_its_place() {
    let mut lisp = lisp();
    expect(
        &mut lisp,
        "(define box (list (list 'a)))
         (define (spoil) (set-car! box 0) (collect) (list 'b))
         (cons (car box) (spoil))",
        "((a) b)",
    );
    expect(
        &mut lisp,
        "(define (pick x) ((lambda (a b) (cons a b)) x (begin (set! x 0) (collect) 'c))) (pick (list 'd))",
        "((d) . c)",
    );
    expect(&mut lisp, "(define f (lambda (x) x)) (f (begin (set! f 0) (collect) (list 'e)))", "(e)");
    expect(
        &mut lisp,
        "(define apply2 (lambda (g a b) (g a b))) (define v (list 'x)) (apply2 cons v (begin (set! v 0) (collect) v))",
        "((x) . 0)",
    );
}

#[test]
fn what_is_displayed_can_be_taken() {
    let mut lisp = lisp();
    expect(&mut lisp, "(display \"a\") (display '(1 \"b\"))", "()");
    assert_eq!(std::mem::take(&mut lisp.state.output), "a(1 b)");
    expect(&mut lisp, "(display 'more)", "()");
    assert_eq!(lisp.state.output, "more");
}
