//! The least of a DNS client: what shows that answers really look as they are said to.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use tokio::net::UdpSocket;
use tokio::time::timeout;

const TIMEOUT: Duration = Duration::from_millis(500);
const HEADER: usize = 12;
/// Type A, class IN.
const A_IN: [u8; 4] = [0, 1, 0, 1];

/// Asks one server for the A records of one name.
#[derive(Debug)]
pub(super) struct Asker {
    socket: UdpSocket,
    question: Vec<u8>,
    id: u16,
}

impl Asker {
    pub(super) async fn new(server: SocketAddr, name: &str) -> anyhow::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let socket = socket.context("could not make a socket for queries")?;
        socket.connect(server).await.context("could not connect the socket for queries")?;
        Ok(Self { socket, question: question(name), id: 0 })
    }

    /// The first address of the answer; none when there is no answer in time, or no address in it.
    pub(super) async fn ask(&mut self) -> Option<Ipv4Addr> {
        self.id = self.id.wrapping_add(1);
        // One question, no recursion desired (RFC 1035 4.1.1).
        let [high, low] = self.id.to_be_bytes();
        let mut query = vec![high, low, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        query.extend_from_slice(&self.question);
        self.socket.send(&query).await.ok()?;
        timeout(TIMEOUT, self.receive()).await.ok()?
    }

    async fn receive(&self) -> Option<Ipv4Addr> {
        let mut buffer = [0; 512];
        loop {
            let length = self.socket.recv(&mut buffer).await.ok()?;
            let message = buffer.get(..length)?;
            // An answer to an earlier query comes too late to count.
            if message.starts_with(&self.id.to_be_bytes()) {
                return first_address(message, HEADER + self.question.len());
            }
        }
    }
}

/// A question for the A records of an ordinary name.
fn question(name: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    for label in name.trim_end_matches('.').split('.') {
        octets.push(u8::try_from(label.len()).unwrap_or(0));
        octets.extend_from_slice(label.as_bytes());
    }
    octets.push(0);
    octets.extend_from_slice(&A_IN);
    octets
}

/// The address in the first record of an answer, which begins at `at`.
fn first_address(message: &[u8], at: usize) -> Option<Ipv4Addr> {
    let answers = message.get(6..8)?;
    // Its name is a pointer (RFC 1035 4.1.4); then come type, class, TTL and length.
    let record = message.get(at..)?;
    let is_address =
        answers != [0, 0] && record.first()? & 0xC0 == 0xC0 && record.get(2..6)? == A_IN;
    let octets: [u8; 4] = record.get(12..16)?.try_into().ok()?;
    is_address.then(|| octets.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_and_answers() {
        assert_eq!(question("a.bc."), b"\x01a\x02bc\0\0\x01\0\x01");
        let mut answer = b"\0\x01\x84\0\0\x01\0\x01\0\0\0\0".to_vec();
        answer.extend_from_slice(&question("a.bc"));
        let at = answer.len();
        answer.extend_from_slice(b"\xc0\x0c\0\x01\0\x01\0\0\0\x05\0\x04\x7f\0\0\x0b");
        assert_eq!(first_address(&answer, at), Some(Ipv4Addr::new(127, 0, 0, 11)));
        assert_eq!(first_address(&answer[..answer.len() - 1], at), None);
        answer[7] = 0;
        assert_eq!(first_address(&answer, at), None);
    }
}
