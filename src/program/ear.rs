use std::io::{self, PipeReader};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::unix::pipe;

/// The octets that are read at once.
const PIECE: usize = 16 * 1024;

/// Which octets of an output are kept; the others are read and forgotten, so that no program waits for its reader.
#[derive(Clone, Copy, Debug)]
pub enum Keeps {
    /// The first ones, so many of them.
    First(usize),
    /// The last ones, so many of them.
    Last(usize),
}

/// Listens to an output of a program.
#[derive(Debug)]
pub struct Ear {
    /// None once there is nothing more to hear.
    pipe: Option<pipe::Receiver>,
    keeps: Keeps,
    kept: Vec<u8>,
    heard: usize,
    most: usize,
}

impl Ear {
    /// Listens at a pipe until `most` octets were read. Then the pipe is closed, so that a program that writes without end gets
    /// SIGPIPE, and not our time.
    ///
    /// # Errors
    /// When this is no pipe, or the runtime can't wait for it.
    pub fn new(output: PipeReader, keeps: Keeps, most: usize) -> io::Result<Self> {
        let pipe = Some(pipe::Receiver::from_owned_fd(output.into())?);
        Ok(Self { pipe, keeps, kept: Vec::new(), heard: 0, most })
    }

    /// How many octets there were, those that were not kept too.
    pub const fn heard(&self) -> usize {
        self.heard
    }

    /// Whether so much was said that nobody listened to the rest.
    pub const fn is_cut_off(&self) -> bool {
        self.heard >= self.most
    }

    /// The octets that were kept.
    pub fn kept(&self) -> &[u8] {
        match self.keeps {
            Keeps::First(_) => &self.kept,
            Keeps::Last(room) => &self.kept[self.kept.len().saturating_sub(room)..],
        }
    }

    /// The octets that were kept; of the last ones, a few more.
    pub fn into_kept(self) -> Vec<u8> {
        self.kept
    }

    fn hear(&mut self, piece: &[u8]) {
        self.heard = self.heard.saturating_add(piece.len());
        match self.keeps {
            Keeps::First(room) => {
                let room = room.saturating_sub(self.kept.len()).min(piece.len());
                self.kept.extend_from_slice(&piece[..room]);
            }
            Keeps::Last(room) => {
                self.kept.extend_from_slice(piece);
                if self.kept.len() > 2 * room {
                    self.kept.drain(..self.kept.len() - room);
                }
            }
        }
    }

    /// Ready each time when something was said, or nothing will be any more; then never again.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(pipe) = &mut self.pipe else { return Poll::Pending };
        let mut space = [0; PIECE];
        let mut piece = ReadBuf::new(&mut space);
        let read = ready!(Pin::new(pipe).poll_read(context, &mut piece));
        self.hear(piece.filled());
        if read.is_err() || piece.filled().is_empty() || self.is_cut_off() {
            self.pipe = None;
        }
        Poll::Ready(())
    }

    /// Hears what is left in the pipe, without waiting for more.
    pub(super) fn hear_the_rest(&mut self) {
        let mut piece = [0; PIECE];
        while self.has_room() {
            let Some(pipe) = &self.pipe else { return };
            match rustix::io::read(pipe, &mut piece) {
                Ok(count @ 1..) => self.hear(&piece[..count]),
                _ => return,
            }
        }
    }

    fn has_room(&self) -> bool {
        match self.keeps {
            Keeps::First(room) => self.kept.len() < room,
            Keeps::Last(_) => !self.is_cut_off(),
        }
    }
}
