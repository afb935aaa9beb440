//! The program that an `exec` probe runs.

use std::sync::Arc;

use super::reader::{Section, text};

const MOST_WORDS: usize = 64;

/// The list `command`: a program by its absolute path, and its arguments.
pub(super) fn command(section: &Section<'_>) -> Option<Arc<[Box<str>]>> {
    let word = |node| match text(node) {
        Some(word) if !word.contains('\0') => Ok(Box::from(word)),
        _ => Err(""),
    };
    let words: Vec<Box<str>> = section.list("command", MOST_WORDS, word)?;
    if !words.first().is_some_and(|it| it.starts_with('/')) {
        section.wrong(
            "command",
            "begins with no absolute path; no shell looks for the program, so write where it is",
        );
        return None;
    }
    Some(words.into())
}
