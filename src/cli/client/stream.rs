//! Server-sent events, as the daemon sends them.

use reqwest::Response;

/// An event; one without a kind only tells from where to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct SentEvent {
    pub(in crate::cli) id: String,
    pub(in crate::cli) kind: String,
    pub(in crate::cli) data: String,
}

/// The events of one connection.
pub(in crate::cli) struct EventStream {
    response: Response,
    /// What has come of a line that is not whole yet.
    unread: Vec<u8>,
}

impl EventStream {
    pub(super) fn new(response: Response) -> Self {
        Self { response, unread: Vec::new() }
    }

    /// The next event; none when the connection is lost.
    pub(in crate::cli) async fn next(&mut self) -> Option<SentEvent> {
        let mut event = SentEvent::default();
        loop {
            let line = self.line().await?;
            match line.split_once(": ") {
                Some(("id", id)) => event.id = id.to_owned(),
                Some(("event", kind)) => event.kind = kind.to_owned(),
                Some(("data", data)) => event.data = data.to_owned(),
                _ if line.is_empty() && !event.id.is_empty() => return Some(event),
                _ => {}
            }
        }
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.unread.iter().position(|it| *it == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                return Some(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            let chunk = self.response.chunk().await.ok()??;
            self.unread.extend_from_slice(&chunk);
        }
    }
}
