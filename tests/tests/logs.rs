//! Logs are complete, can be read by who knows their form, and are the same in each run where that is promised.

use serde_json::Value;
use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use tumulus_heap::{Budget, Event, Gc, Heap, Kind, LogFormat, Zeal};
use tumulus_tests::{catch, scaled};

/// A writer whose text can be read.
#[derive(Clone, Default)]
struct Page(Rc<RefCell<Vec<u8>>>);

impl Page {
    fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).expect("a text")
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs a program that is collected in many ways, with a log; the log, and how many collections there were.
fn logged(format: LogFormat) -> (String, u64) {
    let page = Page::default();
    let mut heap = Heap::builder()
        .zeal(Zeal::none())
        .nursery(64 << 10)
        .min_heap(256 << 10)
        .pause_budget(Budget::work(2000))
        .build();
    heap.log_to(format, page.clone());
    let mut stack: Vec<Gc<[u64; 8]>> = Vec::new();
    for n in 0..scaled(20_000, 3_000) as u64 {
        let gc = heap.alloc([n; 8]);
        if n % 4 == 0 {
            stack.push(gc);
        }
        if stack.len() > 1500 {
            stack.clear();
        }
        heap.safepoint(&stack);
    }
    heap.collect(&stack);
    let collections = heap.statistics().collections;
    drop(heap);
    (page.text(), collections)
}

#[test]
fn the_plain_log_is_the_same_in_each_run() {
    let (first, collections) = logged(LogFormat::Plain);
    let (second, _) = logged(LogFormat::Plain);
    assert_eq!(first, second);
    assert_eq!(first.lines().filter(|line| line.starts_with('#')).count() as u64, collections);
    assert!(!first.contains(['{', '}']), "a figure that has no name: {first}");
}

#[test]
fn a_line_of_the_plain_log_is_a_sentence() {
    let told = Rc::new(RefCell::new(Vec::new()));
    let mut heap = Heap::builder().zeal(Zeal::none()).build();
    let sink = Rc::clone(&told);
    heap.on_event(move |event| sink.borrow_mut().push(event.to_string()));
    heap.alloc([0_u64; 3]);
    heap.collect(&());
    let told = told.borrow();
    assert_eq!(told[0], "#1 full: begins at 32 bytes (16384 committed), asked for");
    let (sizes, rest) = told[1].split_once(", ").expect("figures");
    assert_eq!(sizes, "#1 full: 32 -> 0 bytes (16384 committed)");
    assert!(rest.starts_with("1 objects freed, ") && rest.ends_with(" units in 1 slices, asked for"), "{rest}");
}

#[test]
fn there_is_a_line_for_each_collection_in_the_manner_of_v8() {
    let (text, collections) = logged(LogFormat::TraceGc);
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("Mark-Sweep")).collect();
    assert_eq!(lines.len() as u64, collections);
    for line in lines {
        // What scripts that read V8's look for: a process, a time, a kind, four sizes, two times.
        let (head, rest) = line.split_once(" ms: ").expect("a time");
        assert!(head.starts_with('[') && head.contains(']'), "{line}");
        let (kind, rest) = rest.split_once("Mark-Sweep ").expect("a kind");
        assert!(kind.is_empty() || kind == "Minor ", "{line}");
        let (sizes, rest) = rest.split_once(" MB, ").expect("sizes");
        let sizes: Vec<f64> = sizes
            .split(|c: char| !c.is_ascii_digit() && c != '.')
            .filter(|word| !word.is_empty())
            .map(|word| word.parse().expect("a size"))
            .collect();
        let [used_before, committed_before, used_after, committed_after] = sizes[..] else { panic!("{line}") };
        assert!(used_before <= committed_before && used_after <= committed_after, "{line}");
        let (paused, rest) = rest.split_once(" / ").expect("two times");
        let (longest, rest) = rest.split_once(" ms (in ").expect("steps");
        assert!(longest.parse::<f64>().unwrap() <= paused.parse::<f64>().unwrap(), "{line}");
        assert!(rest.contains("average mu = ") && rest.contains("current mu = "), "{line}");
    }
}

#[test]
fn figures_have_names_and_agree_in_both_forms() {
    let (text, collections) = logged(LogFormat::NameValue);
    let ended: Vec<&str> = text.lines().filter(|line| line.starts_with("event=ended ")).collect();
    assert_eq!(ended.len() as u64, collections);
    assert!(ended.iter().all(|line| line.split(' ').all(|word| word.split('=').count() == 2)), "{ended:?}");

    let (json, _) = logged(LogFormat::JsonLines);
    let objects: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |event: &str| objects.iter().filter(|object| object["event"] == event).cloned().collect::<Vec<Value>>();
    assert_eq!(of("began").len() as u64, collections);
    assert_eq!(of("ended").len() as u64, collections);
    for (line, object) in ended.iter().zip(of("ended")) {
        for name in ["number", "used_before", "used_after", "freed_objects", "freed_bytes", "slices", "work"] {
            assert!(line.contains(&format!(" {name}={}", object[name])), "{name}: {line} and {object}");
        }
        assert!(object["used_before"].as_u64() >= object["freed_bytes"].as_u64());
        let utilisation = object["current_mu"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&utilisation), "{object}");
    }
}

#[test]
fn a_trace_is_an_array_of_events_that_do_not_overlap() {
    let (text, _) = logged(LogFormat::ChromeTrace);
    let events: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    let slices: Vec<&Value> = events.iter().filter(|event| event["ph"] == "X").collect();
    assert!(slices.iter().any(|event| event["name"] == "MinorGC"));
    assert!(slices.iter().any(|event| event["name"] == "MajorGC"));
    let counters = events.iter().filter(|event| event["name"] == "UpdateCounters");
    assert!(counters.clone().all(|event| event["args"]["data"]["jsHeapSizeUsed"].is_u64()));
    assert_eq!(counters.count(), slices.len());
    let end = |slice: &Value| slice["ts"].as_f64().unwrap() + slice["dur"].as_f64().unwrap();
    for pair in slices.windows(2) {
        assert!(end(pair[0]) <= pair[1]["ts"].as_f64().unwrap() + 0.01, "{pair:?}");
    }
}

#[test]
fn a_trace_of_nothing_is_a_trace() {
    let page = Page::default();
    let mut heap = Heap::builder().zeal(Zeal::none()).build();
    heap.log_to(LogFormat::ChromeTrace, page.clone());
    heap.end_logs();
    heap.collect(&());
    let events: Vec<Value> = serde_json::from_str(&page.text()).expect("JSON");
    assert_eq!(events.len(), 1);
}

#[test]
fn a_collection_is_told_of_when_it_begins_and_when_it_ends() {
    let told = Rc::new(RefCell::new(Vec::new()));
    let mut heap = Heap::builder().zeal(Zeal::none()).build();
    let sink = Rc::clone(&told);
    heap.on_event(move |event| sink.borrow_mut().push(event.clone()));
    heap.collect_minor(&());
    heap.collect(&());
    let numbers: Vec<_> = told
        .borrow()
        .iter()
        .map(|event| match *event {
            Event::Began { number, kind, .. } => (number, kind, "began"),
            Event::Ended { number, kind, .. } => (number, kind, "ended"),
            _ => panic!("{event}"),
        })
        .collect();
    let expected = [(1, Kind::Minor), (2, Kind::Full)].map(|(n, kind)| [(n, kind, "began"), (n, kind, "ended")]);
    assert_eq!(numbers, expected.concat());
}

#[test]
fn a_writer_that_fails_is_given_up_and_the_others_go_on() {
    struct Broken(Rc<RefCell<u32>>);
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            *self.0.borrow_mut() += 1;
            Err(io::Error::other("broken"))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (asked, page) = (Rc::new(RefCell::new(0)), Page::default());
    let mut heap = Heap::builder().zeal(Zeal::none()).build();
    heap.log_to(LogFormat::Plain, Broken(Rc::clone(&asked)));
    heap.log_to(LogFormat::Plain, page.clone());
    heap.collect(&());
    heap.collect(&());
    assert_eq!(*asked.borrow(), 1);
    assert_eq!(page.text().lines().count(), 2);
}

#[test]
fn a_callback_that_panics_leaves_the_heap_in_order() {
    for at in ["began", "ended"] {
        let mut heap = Heap::builder().zeal(Zeal::none()).build();
        let kept = heap.alloc_str("kept");
        heap.on_event(move |event| match event {
            Event::Began { number: 1, .. } if at == "began" => panic!("in the prologue"),
            Event::Ended { number: 1, .. } if at == "ended" => panic!("in the epilogue"),
            _ => (),
        });
        assert!(catch(|| heap.collect(&kept)).is_err(), "{at}");
        heap.verify().unwrap();
        heap.on_event(|_| ());
        let garbage = heap.alloc_str("garbage");
        heap.collect(&kept);
        heap.collect(&kept);
        assert!(heap.contains(kept) && !heap.contains(garbage));
        heap.verify().unwrap();
    }
}
