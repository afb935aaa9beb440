use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A part of the daemon that gave no sign of life for so long has stalled. A signal is due twice a second.
pub const STALL: Duration = Duration::from_secs(5);

/// The signs of life of one part of the daemon, which anybody may look at without waiting.
#[derive(Debug)]
pub struct Heart {
    part: &'static str,
    origin: Instant,
    /// When it beat last, in milliseconds since the origin.
    last: AtomicU64,
    stalled: AtomicBool,
}

impl Heart {
    /// How often a part that is well says so.
    pub const EVERY: Duration = Duration::from_millis(500);

    /// A heart that beat just now.
    pub fn new(part: &'static str) -> Arc<Self> {
        let (last, stalled) = (AtomicU64::new(0), AtomicBool::new(false));
        Arc::new(Self { part, origin: Instant::now(), last, stalled })
    }

    /// Whose it is.
    pub fn part(&self) -> &'static str {
        self.part
    }

    /// Gives a sign of life.
    pub fn beat(&self) {
        self.last.store(self.now(), Ordering::Relaxed);
    }

    /// The time since the last sign of life.
    pub fn silence(&self) -> Duration {
        Duration::from_millis(self.now().saturating_sub(self.last.load(Ordering::Relaxed)))
    }

    /// Whether the detector found no sign of life for [`STALL`].
    pub fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Takes in how long the heart has been silent. Tells whether a stall begins.
    fn judge(&self, silence: Duration) -> bool {
        let (part, silent_ms) = (self.part, silence.as_millis());
        let is_stalled = silence >= STALL;
        let was_stalled = self.stalled.swap(is_stalled, Ordering::Relaxed);
        if is_stalled && !was_stalled {
            tracing::error!(
                event = "stalled",
                part,
                silent_ms,
                "{part} has stalled: no sign of life for {silent_ms} ms"
            );
        } else if was_stalled && !is_stalled {
            tracing::warn!(event = "stall_ended", part, "{part} goes on after a stall");
        }
        is_stalled && !was_stalled
    }
}

/// Looks at hearts from a thread of its own: what hangs can't say so itself.
#[derive(Debug)]
pub struct Detector {
    thread: JoinHandle<()>,
    stop: mpsc::Sender<()>,
}

impl Detector {
    /// Looks at the hearts this often. After every look `looked` gets each heart with whether a stall of it began just now.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(
        hearts: Vec<Arc<Heart>>,
        every: Duration,
        mut looked: impl FnMut(&[(&Heart, bool)]) + Send + 'static,
    ) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let run = move || {
            let mut last = Instant::now();
            while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                // The whole process did not run (SIGSTOP, a suspended machine): that says nothing of its parts.
                if last.elapsed() >= every + STALL / 2 {
                    hearts.iter().for_each(|it| it.beat());
                }
                last = Instant::now();
                let judged: Vec<_> =
                    hearts.iter().map(|it| (&**it, it.judge(it.silence()))).collect();
                looked(&judged);
            }
        };
        let thread = thread::Builder::new().name("stall-detector".to_owned()).spawn(run)?;
        Ok(Self { thread, stop })
    }

    /// Ends the thread.
    pub fn stop(self) {
        drop(self.stop);
        // A panic there has been written to standard error, and there is nothing left to do about it.
        let _ = self.thread.join();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_begins_once_and_ends() {
        let heart = Heart::new("test");
        let silences = [0, 4999, 5000, 9000, 1, 6000].map(Duration::from_millis);
        let judged = silences.map(|it| (heart.judge(it), heart.is_stalled()));
        let (well, begins, goes_on) = ((false, false), (true, true), (false, true));
        assert_eq!(judged, [well, well, begins, goes_on, well, begins]);
    }

    #[test]
    fn a_heart_that_beats_is_not_silent() {
        let heart = Heart::new("test");
        heart.last.store(0, Ordering::Relaxed);
        while heart.silence() < Duration::from_millis(3) {
            thread::yield_now();
        }
        let before = heart.now();
        heart.beat();
        assert!(heart.last.load(Ordering::Relaxed) >= before);
    }

    #[test]
    fn a_runtime_that_hangs_is_seen_from_outside() {
        let heart = Heart::new("runtime");
        let (seen, stalls) = mpsc::channel();
        let detector =
            Detector::start(vec![heart.clone()], Duration::from_millis(50), move |judged| {
                if judged.iter().any(|it| it.1) {
                    let _ = seen.send(());
                }
            });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let beats = async {
                loop {
                    heart.beat();
                    tokio::time::sleep(Heart::EVERY).await;
                }
            };
            let hangs = async {
                tokio::time::sleep(Duration::from_millis(1)).await;
                // Blocks the whole runtime until the stall is seen.
                stalls.recv_timeout(STALL * 12).unwrap();
            };
            tokio::select! {
                () = beats => {}
                () = hangs => {}
            }
        });
        assert!(heart.is_stalled());
        detector.unwrap().stop();
    }
}
