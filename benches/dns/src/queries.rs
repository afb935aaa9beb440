//! The questions that are asked, in turn.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// Longer questions don't fit into the packets of this program.
pub(crate) const LONGEST: usize = 512;

/// Questions in wire format.
pub(crate) struct Queries {
    /// Each with its length in front.
    framed: Vec<Box<[u8]>>,
}

impl Queries {
    /// Reads a file of questions, each with its length in front.
    ///
    /// # Errors
    /// When the file can't be read, has no question, or one that is cut.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let octets = fs::read(path).with_context(|| format!("can't read {}", path.display()))?;
        let (mut framed, mut rest) = (Vec::new(), &octets[..]);
        while let Some(&[high, low]) = rest.first_chunk::<2>() {
            let length = 2 + usize::from(u16::from_be_bytes([high, low]));
            let whole = rest.split_at_checked(length).filter(|_| (14..LONGEST).contains(&length));
            let (query, others) = whole.context("a question is cut, or has no sensible length")?;
            framed.push(query.into());
            rest = others;
        }
        ensure!(!framed.is_empty(), "{} has no questions", path.display());
        Ok(Self { framed })
    }

    /// The question of this number, with its length in front; they begin anew after the last.
    pub(crate) fn framed(&self, number: usize) -> &[u8] {
        self.framed.get(number % self.framed.len()).map(|it| &**it).unwrap_or_default()
    }

    /// The same without the length in front.
    pub(crate) fn plain(&self, number: usize) -> &[u8] {
        self.framed(number).get(2..).unwrap_or_default()
    }

    /// The length of all questions, if it is the same.
    pub(crate) fn length(&self) -> Option<i32> {
        let length = self.plain(0).len();
        let same = self.framed.iter().all(|it| it.len() == length + 2);
        i32::try_from(length).ok().filter(|_| same)
    }

    /// Writes the question of this number, with this id, without a length in front. Gives its length.
    pub(crate) fn write(&self, number: usize, id: u16, room: &mut [u8]) -> usize {
        let query = self.plain(number);
        let Some(room) = room.get_mut(..query.len()) else { return 0 };
        room.copy_from_slice(query);
        room[..2].copy_from_slice(&id.to_be_bytes());
        query.len()
    }
}
