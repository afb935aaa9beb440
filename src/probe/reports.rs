//! What sites report of themselves, on its way to the scheduler.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

use crate::model::EndpointKey;

/// Reports that may wait for the prober.
const MOST_WAITING: usize = 1024;
/// How long a report waits for a prober that is starting again.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a site says of one of its endpoints.
#[derive(Clone, Debug)]
pub struct Report {
    /// Which endpoint.
    pub key: EndpointKey,
    /// Whether it is well.
    pub healthy: bool,
    /// Why it is not, on one line.
    pub reason: Option<Arc<str>>,
}

/// Why a report counts for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unheard {
    /// The endpoint's protocol is not `push`, or it is gone.
    #[error("nobody waits for reports of this endpoint; set its monitor's protocol to \"push\"")]
    NotAwaited,
    /// The last report has only just come.
    #[error("the last report has only just come; send at most ten a second")]
    TooSoon,
    /// There is no prober that takes it, or it can't keep up.
    #[error("reports are not taken at the moment; send it again")]
    Busy,
}

/// A report, and who waits for what becomes of it.
pub(super) type Waiting = (Report, oneshot::Sender<Result<(), Unheard>>);

/// Reports that wait for the prober.
#[derive(Debug, Default)]
pub(super) struct Reports {
    queue: Mutex<VecDeque<Waiting>>,
    came: Notify,
}

impl Reports {
    /// Hands a report in, and waits until it was counted or refused.
    pub(super) async fn hand_in(&self, report: Report) -> Result<(), Unheard> {
        let (reply, answer) = oneshot::channel();
        {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            if queue.len() >= MOST_WAITING {
                return Err(Unheard::Busy);
            }
            queue.push_back((report, reply));
        }
        self.came.notify_one();
        match timeout(PATIENCE, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(Unheard::Busy),
        }
    }

    /// Waits for reports and takes all of them, but those that nobody waits for any more.
    pub(super) async fn take(&self) -> Vec<Waiting> {
        loop {
            let mut queue =
                std::mem::take(&mut *self.queue.lock().unwrap_or_else(PoisonError::into_inner));
            queue.retain(|(_, reply)| !reply.is_closed());
            if !queue.is_empty() {
                return queue.into();
            }
            self.came.notified().await;
        }
    }
}
