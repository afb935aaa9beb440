use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use tokio::io::{DuplexStream, duplex};
use tokio::time::sleep;

use super::*;
use crate::dns::tests::responder_and_counters;

const IDLE: Duration = Duration::from_secs(10);

fn client(number: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, number])
}

/// An answer of so many octets, in its frame. There is no answer to it: nothing is ever written, so no write ever waits.
fn unanswered(length: u16) -> Vec<u8> {
    let mut message = length.to_be_bytes().to_vec();
    message.extend([0, 0, 0x80]);
    message.resize(usize::from(length) + 2, 0);
    message
}

/// A question for a zone of somebody else, in its frame.
const QUESTION: [u8; 21] = [0, 19, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'x', 0, 0, 1, 0, 1];

fn shared_by(responder: Responder) -> Shared {
    let responder = Rc::new(RefCell::new(responder));
    Shared::new(responder, Transport::Tcp, IDLE, CancellationToken::new())
}

fn shared() -> Shared {
    shared_by(responder_and_counters("").0)
}

/// Serves a client that behaves like this. Tells how its connection ended, after how many seconds, and whether answers
/// were left.
async fn serve_one(
    behave: impl AsyncFnOnce(DuplexStream) -> Option<DuplexStream>,
) -> (Result<(), io::ErrorKind>, u64, bool) {
    let (client_end, mut server) = duplex(64);
    let (end, unsent, started) = (CancellationToken::new(), Cell::new(false), Instant::now());
    let ticket = Connections::new(1).admit(client(1), started);
    let shared = shared();
    let exchange = async {
        let ended = exchange(&shared, &mut server, client(1), &end, &ticket, &unsent).await;
        (ended.map_err(|it| it.kind()), started.elapsed().as_secs())
    };
    let ((ended, seconds), _open) = tokio::join!(exchange, behave(client_end));
    (ended, seconds, unsent.get())
}

#[tokio::test(start_paused = true)]
async fn a_client_has_its_time_from_each_message_on() {
    let well = |seconds| (Ok(()), seconds, false);
    assert_eq!(serve_one(async |it| Some(it)).await, well(10));
    assert_eq!(serve_one(async |_| None).await, well(0));
    let talks = async |mut it: DuplexStream| {
        for _ in 0..3 {
            sleep(Duration::from_secs(8)).await;
            it.write_all(&unanswered(12)).await.unwrap();
        }
        Some(it)
    };
    assert_eq!(serve_one(talks).await, well(34));
}

#[tokio::test(start_paused = true)]
async fn half_a_message_is_a_broken_connection() {
    let half = async |mut it: DuplexStream| {
        it.write_all(&QUESTION[..7]).await.unwrap();
        Some(it)
    };
    assert_eq!(serve_one(half).await, (Err(io::ErrorKind::TimedOut), 10, false));
    let cut = async |it| half(it).await.and(None);
    assert_eq!(serve_one(cut).await, (Err(io::ErrorKind::UnexpectedEof), 0, false));
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_has_its_time_for_it() {
    let greedy = async |mut it: DuplexStream| {
        let _ = timeout(IDLE * 9, it.write_all(&QUESTION.repeat(99))).await;
        Some(it)
    };
    assert_eq!(serve_one(greedy).await, (Err(io::ErrorKind::TimedOut), 10, true));
}

#[tokio::test]
async fn one_clients_turn_is_short_however_much_it_sends() {
    // Many messages in what is read at a time, and few.
    for (length, count) in [(12, 50_000), (1000, 1000)] {
        let (mut sender, mut server) = duplex(1 << 20);
        sender.write_all(&unanswered(length).repeat(count)).await.unwrap();
        let (responder, counters) = responder_and_counters("");
        let end = CancellationToken::new();
        let shared = shared_by(responder);
        let ticket = Connections::new(1).admit(client(1), Instant::now());
        let unsent = Cell::new(false);
        let mut exchange = pin!(exchange(&shared, &mut server, client(1), &end, &ticket, &unsent));
        let seen = || counters.count_dropped(DropReason::Response);
        for turn in 1..4 {
            let ended = poll_fn(|cx| Poll::Ready(exchange.as_mut().poll(cx))).await;
            assert!(ended.is_pending());
            assert!(seen() > 0 && seen() <= turn * 2 * TURN as u64, "{}", seen());
            yield_now().await;
        }
        drop(sender);
        exchange.await.unwrap();
        assert_eq!(seen(), count as u64);
    }
}

#[test]
fn a_turn_ends_with_a_scrap_or_with_enough_to_write() {
    let (shared, mut unread) = (shared(), QUESTION.repeat(3));
    let turn = shared.take_turn(&mut unread, client(1), &mut vec![0; WRITE_AT]);
    assert!(turn.messages == 1 && turn.end == TurnEnd::Over);
    assert_eq!(unread, QUESTION.repeat(2));
    let mut unread = [&unanswered(11)[..], &QUESTION].concat();
    let turn = shared.take_turn(&mut unread, client(1), &mut Vec::new());
    assert!(turn.messages == 1 && turn.end == TurnEnd::Scrap);
}

#[test]
fn what_was_large_once_is_given_back() {
    let mut large = vec![0; 2 * WRITE_AT];
    trim(&mut large);
    assert_eq!(large.len(), 2 * WRITE_AT);
    large.clear();
    trim(&mut large);
    assert_eq!(large.capacity(), 0);
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_is_not_idle() {
    let mut connections = Connections::new(2);
    let first = connections.admit(client(1), Instant::now());
    sleep(Duration::from_secs(1)).await;
    let second = connections.admit(client(2), Instant::now());
    sleep(Duration::from_secs(1)).await;
    let (mut sender, mut server) = duplex(64);
    sender.write_all(&unanswered(12)).await.unwrap();
    drop(sender);
    let (end, unsent) = (CancellationToken::new(), Cell::new(false));
    exchange(&shared(), &mut server, client(1), &end, &first, &unsent).await.unwrap();
    let _third = connections.admit(client(3), Instant::now());
    timeout(IDLE, second.evicted()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_open_connection_has_the_idle_time_that_clients_are_told_of() {
    let (shared, started) = (shared(), Instant::now());
    let mut connections = Connections::new(1);
    let ticket = connections.admit(client(1), started);
    let (mut sender, mut server) = duplex(64);
    let (end, unsent) = (CancellationToken::new(), Cell::new(false));
    let talk = async {
        sender.write_all(&unanswered(12)).await.unwrap();
        sleep(Duration::from_secs(1)).await;
        shared.idle.set(IDLE * 3);
        sender.write_all(&unanswered(12)).await.unwrap();
    };
    let served = exchange(&shared, &mut server, client(1), &end, &ticket, &unsent);
    let (ended, ()) = tokio::join!(served, talk);
    ended.unwrap();
    assert_eq!(started.elapsed().as_secs(), 1 + IDLE.as_secs() * 3);
}
