//! The `farol` program.

fn main() {}
