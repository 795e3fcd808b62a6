//! x
fn main() {
    let a: Vec<String> = std::env::args().collect();
    tumulus_tests::fuzz::run(&a[1], &std::fs::read(&a[2]).unwrap());
}
