//! Threads for what renders, compares and checks a lot: no probe waits for that.

use tokio::task::{LocalSet, spawn_blocking};
use tokio_util::sync::CancellationToken;

/// Does something on a thread of its own, with a runtime of its own, until it ends by itself or by its token, which is cancelled with `stop`
/// and when this future is dropped.
pub(super) async fn on_thread<F: Future<Output = ()>>(
    what: &'static str,
    stop: CancellationToken,
    work: impl FnOnce(CancellationToken) -> F + Send + 'static,
) {
    let ended = stop.child_token();
    // Also when this future is dropped.
    let _guard = ended.clone().drop_guard();
    let thread = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => {
                LocalSet::new().block_on(&runtime, work(ended));
                // A kubeconfig on a disk that hangs, or a program, is not waited for.
                runtime.shutdown_background();
            }
            Err(error) => {
                tracing::error!(event = "fleet_not_started", %error, "{what} has no runtime: {error}");
            }
        }
    };
    if let Err(error) = spawn_blocking(thread).await
        && error.is_panic()
    {
        tracing::error!(event = "fleet_panicked", %error, "{what} panicked, which is a fault in Farol");
    }
}
