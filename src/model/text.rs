use std::error::Error;
use std::iter::successors;

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

/// An error with its causes, on one line. A cause that its effect tells already isn't said again.
pub fn chain(error: &dyn Error) -> String {
    let causes = successors(error.source(), |&it| it.source()).map(ToString::to_string);
    causes.fold(error.to_string(), |said, cause| match said.contains(&cause) {
        true => said,
        false => format!("{said}: {cause}"),
    })
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn an_error_is_told_with_its_causes_each_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("{said}")]
        struct Failure {
            said: &'static str,
            source: io::Error,
        }
        let told = |said| chain(&Failure { said, source: io::Error::other("no space") });
        assert_eq!(told("could not write"), "could not write: no space");
        assert_eq!(told("could not write: no space"), "could not write: no space");
    }

    #[test]
    fn letters_of_every_script_are_seen_and_what_turns_them_is_not() {
        assert!("no lease ñ שלום 東京 \u{1f600}".chars().all(|it| !is_hidden(it)));
        assert!("\n\u{1b}\u{7f}\u{85}\u{200b}\u{202e}\u{2066}\u{feff}".chars().all(is_hidden));
    }
}
