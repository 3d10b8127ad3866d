//! The portreeve binary: parse, compose, print.
fn main() {}
