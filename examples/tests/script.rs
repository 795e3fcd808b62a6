//! Guest programs on the bytecode machine: that they compute the right thing, stay within their heap, and outlive their
//! own mistakes.

mod common;

use common::{expect, expect_error, turns};
use tumulus_examples::script::{Error, Machine};
use tumulus_heap::Heap;

fn machine() -> Machine {
    Machine::new(Heap::builder().limit(64 << 20))
}

#[test]
fn operators() {
    let mut machine = machine();
    expect(&mut machine, "return 1 + 2 * 3 - 8 / 4 % 3;", "5");
    expect(
        &mut machine,
        "return [1 < 2, 2 <= 1, 2 > 1, 1 >= 2, 1 == 1, 1 != 1, !nil, -(2 - 5)];",
        "[true, false, true, false, true, false, true, 3]",
    );
    expect(&mut machine, "return [nil || 1, false && nothing(), 2 && 3, 4 || nothing()];", "[1, false, 3, 4]");
    expect(&mut machine, "return \"tu\" + \"mulus\" == \"tumulus\"; // by contents", "true");
}

#[test]
fn factorial_and_control_flow() {
    let mut machine = machine();
    expect(
        &mut machine,
        "fn factorial(n) { if n == 0 { return 1; } return n * factorial(n - 1); } return factorial(20);",
        "2432902008176640000",
    );
    expect(
        &mut machine,
        "fn kind(n) { if n < 0 { return \"small\"; } else if n == 0 { return \"none\"; } else { return \"big\"; } }
         return [kind(-1), kind(0), kind(1)];",
        "[small, none, big]",
    );
    expect(
        &mut machine,
        "fn sum(n) { let total = 0; while n > 0 { let next = n - 1; total = total + n; n = next; } return total; } return sum(100);",
        "5050",
    );
}

#[test]
fn mutual_recursion_and_long_loops() {
    let mut machine = machine();
    let calls = turns(5_000, 100);
    let program = format!(
        "fn even(n) {{ if n == 0 {{ return true; }} return odd(n - 1); }}
         fn odd(n) {{ if n == 0 {{ return false; }} return even(n - 1); }}
         return even({calls});"
    );
    expect(&mut machine, &program, "true");
    let rounds = turns(1_000_000, 300);
    expect(&mut machine, &format!("let n = 0; while n < {rounds} {{ n = n + 1; }} return n;"), &rounds.to_string());
}

#[test]
fn closures_capture_variables_and_not_values() {
    let mut machine = machine();
    expect(
        &mut machine,
        "fn counter() { let n = 0; return { more: fn() { n = n + 1; return n; }, get: fn() { return n; } }; }
         let one = counter(); let two = counter();
         one.more(); one.more(); two.more(); collect();
         return [one.get(), two.get()];",
        "[2, 1]",
    );
    expect(
        &mut machine,
        "fn each() { let list = []; let n = 0; while n < 3 { let own = n; push(list, fn() { own = own + 10; return own; }); n = n + 1; } return list; }
         let list = each(); collect(); list[1]();
         return [list[0](), list[1](), list[2]()];",
        "[10, 21, 12]",
    );
    expect(
        &mut machine,
        "fn outer() { let x = 1; fn middle() { fn inner() { x = x + 1; return x; } return inner; } let f = middle(); f(); return [x, f(), x]; }
         return outer();",
        "[2, 3, 3]", // open while `outer` runs
    );
    expect(
        &mut machine,
        "fn f() { fn g(n) { if n == 0 { return 0; } return 1 + g(n - 1); } return g(5); } return f();",
        "5",
    );
}

#[test]
fn prototypes() {
    let mut machine = machine();
    expect(
        &mut machine,
        "let animal = { name: \"?\", legs: 4, speak: fn() { return this.name + \" speaks\"; } };
         let dog = extend(animal); dog.name = \"dog\";
         let puppy = extend(dog); puppy.legs = 3;
         animal.run = fn() { return this.name + \" runs on \" + str(this.legs); };
         collect();
         return [puppy.speak(), puppy.run(), animal.run(), puppy.tail, count(puppy)];",
        "[dog speaks, dog runs on 3, ? runs on 4, nil, 1]",
    );
    expect_error(&mut machine, "return (5).x;", "5 has no field x");
}

#[test]
fn objects_as_hash_tables() {
    let mut machine = machine();
    let keys = turns(2_000, 20);
    let program = format!(
        "let table = {{}}; let n = 0;
         while n < {keys} {{ table[\"key\" + str(n)] = [n]; n = n + 1; }}
         let sum = 0; n = 0;
         while n < {keys} {{ sum = sum + table[\"key\" + str(n)][0]; n = n + 1; }}
         return [sum, count(table), table[\"missing\"]];"
    );
    expect(&mut machine, &program, &format!("[{}, {keys}, nil]", keys * (keys - 1) / 2));
}

#[test]
fn strings_and_arrays_are_built() {
    let mut machine = machine();
    let count = turns(2_000, 30);
    let program = format!(
        "let text = \"\"; let list = []; let n = 0;
         while n < {count} {{ text = text + str(n % 10); push(list, [n]); n = n + 1; }}
         list[3] = \"changed\";
         return [len(text), slice(text, 3, 7), len(list), list[{count} - 1], list[3]];"
    );
    expect(&mut machine, &program, &format!("[{count}, 3456, {count}, [{}], changed]", count - 1));
    expect_error(&mut machine, "return [1][1];", "an array of 1 items has none at 1");
    expect_error(&mut machine, "let a = [1]; a[7] = 1;", "no item at 7");
}

#[test]
fn errors_are_caught_and_the_program_goes_on() {
    let mut machine = machine();
    expect(&mut machine, "try { throw [1, 2]; } catch error { return error[1]; }", "2");
    expect(&mut machine, "try { nothing(); } catch error { return error; }", "nothing is not defined");
    expect(&mut machine, "try { return 1 + {}; } catch error { return error; }", "Add of 1 and <object of 0>");
    expect(
        &mut machine,
        "fn deep(n) { let f = fn() { return n; }; if n == 0 { throw f; } return deep(n - 1); }
         fn catching() { let kept = \"kept\"; try { deep(10); } catch f { collect(); return [kept, f()]; } }
         return catching();",
        "[kept, 0]",
    );
    expect(
        &mut machine,
        "fn f() { try { return 1; } catch e { return 2; } } f(); try { throw 3; } catch e { return e; }",
        "3",
    );
    expect(&mut machine, "try { try { throw 1; } catch e { throw e + 1; } } catch e { return e; }", "2");
    expect(
        &mut machine,
        "fn f() { try { throw 1; } catch e { return fn() { e = e + 1; return e; }; } } let g = f(); g(); return g();",
        "3",
    );
    expect_error(&mut machine, "throw \"nobody catches\";", "nobody catches");
    expect_error(&mut machine, "fn f(a) { } f();", "f takes 1 arguments, not 0");
    expect(&mut machine, "return \"still here\";", "still here");
}

#[test]
fn texts_that_are_no_programs() {
    let mut machine = machine();
    for (text, reason) in [
        ("let x = ;", "line 1: an expression should be"),
        ("\nfn f( { }", "line 2: a name should be"),
        ("let s = \"abc", "a string is not closed"),
        ("return 1", "`;` should be"),
        ("let 1 = 2;", "a name should be"),
        ("try { }", "`catch` should be"),
        ("return #;", "begins nothing that is known"),
        (&"(".repeat(100_000), "nesting"),
        (&"if 1 { ".repeat(100_000), "nesting"),
    ] {
        assert!(matches!(machine.run(text), Err(Error::Syntax(error)) if error.contains(reason)), "{text}");
    }
    expect(&mut machine, "return 1;", "1");
}

#[test]
fn recursion_without_end_is_an_error_of_the_guest() {
    let mut machine = machine();
    if turns(1, 0) == 1 {
        expect(
            &mut machine,
            "fn down(n) { return 1 + down(n); } try { down(0); } catch error { return error; }",
            "calls are nested too deep",
        );
    }
    expect(
        &mut machine,
        "fn count_down(n) { if n == 0 { return 0; } return 1 + count_down(n - 1); } return count_down(100);",
        "100",
    );
}

#[test]
fn an_exhausted_heap_is_an_error_of_the_guest_and_the_machine_goes_on() {
    let mut machine = Machine::new(Heap::builder().limit(turns(4 << 20, 384 << 10)));
    expect(
        &mut machine,
        "let before = [1, 2, 3]; let piece = \"0123456789012345678901234567890123456789\"; piece = piece + piece + piece; piece = piece + piece + piece;
         fn grow() { let list = nil; while true { list = { next: list, more: piece + piece + piece }; } }",
        "nil",
    );
    for _ in 0..3 {
        expect(&mut machine, "try { grow(); } catch error { return [error, before]; }", "[out of memory, [1, 2, 3]]");
    }
    expect_error(&mut machine, "grow();", "out of memory");
    expect_error(&mut machine, "let text = \"abcdefgh\"; while true { text = text + text; }", "out of memory");
    expect(
        &mut machine,
        "text = nil; let n = 0; let list = nil; while n < 100 { list = [n, list]; n = n + 1; } return list[0];",
        "99",
    );
    machine.heap().verify().expect("the heap is in order");
}

#[test]
fn an_endless_loop_that_makes_garbage_stays_within_the_limit() {
    let limit = 1 << 20;
    let mut machine = Machine::new(Heap::builder().limit(limit));
    let rounds = turns(200_000, 100);
    expect(
        &mut machine,
        &format!("let n = 0; while n < {rounds} {{ let o = {{ a: [n, n], b: str(n) }}; n = n + 1; }} return n;"),
        &rounds.to_string(),
    );
    let statistics = machine.heap().statistics();
    assert!(statistics.peak_committed_bytes <= limit);
    assert!(statistics.allocated_bytes > 200 * rounds as u64, "{statistics:?}");
}

#[test]
fn what_is_printed_can_be_taken() {
    let mut machine = machine();
    expect(&mut machine, "print([1, \"two\"]); print(print);", "nil");
    assert_eq!(machine.take_output(), "[1, two]\n<Print>\n");
    assert_eq!(machine.take_output(), "");
}

#[test]
fn names_of_properties_are_objects_and_go_like_others() {
    let limit = 1 << 20;
    let mut machine = Machine::new(Heap::builder().limit(limit));
    let rounds = turns(100_000, 100);
    let program = format!(
        "let object = {{ x: 1 }}; let n = 0;
         while n < {rounds} {{ let other = {{}}; other[\"name \" + str(n)] = n; n = n + other[\"name \" + str(n)] - n + 1; }}
         object[\"x\"] = object.x + 1; object[\"y\" + \"z\"] = 3;
         return [object.x, object[\"x\"], object.yz, object[\"nobody has this\"], count(object)];"
    );
    expect(&mut machine, &program, "[2, 2, 3, nil, 2]");
    assert!(machine.heap().statistics().peak_committed_bytes <= limit);
    assert!(machine.names() < 20_000, "{}", machine.names()); // of a hundred thousand
}
