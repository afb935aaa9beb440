/// Whether a character has no place in a text of others that is shown on a line: it controls a terminal, turns the direction of
/// what follows (Unicode's bidirectional controls), or is not to be seen.
pub fn is_hidden(it: char) -> bool {
    it.is_control()
        || matches!(
            it,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_every_script_are_seen_and_what_turns_them_is_not() {
        assert!("no lease ñ שלום 東京 \u{1f600}".chars().all(|it| !is_hidden(it)));
        assert!("\n\u{1b}\u{7f}\u{85}\u{200b}\u{202e}\u{2066}\u{feff}".chars().all(is_hidden));
    }
}
