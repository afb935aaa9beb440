//! Waits until a drained site is safe to work on: until nobody can hold an answer any more that names it.

use std::io::{IsTerminal, Write, stderr};
use std::time::Duration;

use anyhow::bail;
use tokio::time::Instant;

use super::client::{Client, Failure};
use super::complain;
use super::output::{count, one_line};
use crate::api::view;

/// From one look to the next.
const LOOK: Duration = Duration::from_secs(1);

/// Shows how far the drain of a site has come until it is safe, or so much time has passed. Gives the site as it is then, as the
/// API tells it.
///
/// # Errors
/// When the time is over, or the site is drained no more.
pub(super) async fn wait(
    client: &Client,
    site: &str,
    most: Option<Duration>,
) -> anyhow::Result<String> {
    let deadline = most.map(|it| Instant::now() + it);
    let mut told = Told::default();
    loop {
        // A daemon that restarts meanwhile drains on.
        let sites = match client.get::<view::Sites>(&["sites"]).await {
            Ok(answer) => answer.value.sites,
            Err(Failure::NoDaemon { .. } | Failure::Late { .. } | Failure::Broken { .. }) => {
                told.say("the daemon does not answer; asking again");
                tokio::time::sleep(LOOK).await;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let found = sites.into_iter().find(|it| it.name == site);
        let drain = found.as_ref().and_then(|it| it.drain.clone());
        let Some(drain) = drain else {
            told.end();
            bail!("{site} is drained no more: somebody has undrained it, or the drain has ended");
        };
        told.say(&progress(&drain));
        if drain.safe {
            told.end();
            return Ok(serde_json::to_string(&found)?);
        }
        if deadline.is_some_and(|it| Instant::now() >= it) {
            told.end();
            bail!("{site} is not safe yet; it stays drained");
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// How far a drain has come, on one line.
fn progress(drain: &view::Drain) -> String {
    if let Some(first) = drain.still_answered.first() {
        let reason = first.reason.as_deref().map(|it| format!(": {it}")).unwrap_or_default();
        let number = count(drain.still_answered.len(), "endpoint");
        return format!(
            "{number} still answered with, {} {} first{reason}",
            first.profile, first.endpoint
        );
    }
    let clock = |time: &Option<String>| {
        let time: Option<jiff::Timestamp> = time.as_ref().and_then(|it| it.parse().ok());
        time.map(|it| it.strftime("%H:%M:%S").to_string()).unwrap_or_default()
    };
    let ttl = match drain.longest_ttl_seconds.ceil() {
        0.0 => "no answer is kept any more".to_owned(),
        left => format!("the longest answer out there is kept for {left} s"),
    };
    let requests = drain.requests.as_ref().map(|it| match (&it.value, &it.error) {
        (_, Some(error)) => format!("; requests can't be measured: {}", one_line(error)),
        (Some(value), None) => format!("; requests {value} (quiet at {})", it.quiet),
        (None, None) => "; requests not measured yet".to_owned(),
    });
    let safe = match drain.safe {
        true => "; safe".to_owned(),
        false => format!("; safe at {} UTC", clock(&drain.safe_at)),
    };
    let stopped = clock(&drain.stopped);
    format!("answers stopped at {stopped} UTC; {ttl}{}{safe}", requests.unwrap_or_default())
}

/// What was said last: on a terminal each line takes the place of the one before.
#[derive(Default)]
struct Told {
    last: String,
    width: usize,
}

impl Told {
    fn say(&mut self, line: &str) {
        if self.last == line {
            return;
        }
        line.clone_into(&mut self.last);
        if !stderr().is_terminal() {
            return complain(line);
        }
        let width = line.chars().count();
        let blank = " ".repeat(self.width.saturating_sub(width));
        // There is nowhere to complain about failing at that.
        let _ = write!(stderr(), "\r{line}{blank}");
        let _ = stderr().flush();
        self.width = width;
    }

    fn end(&self) {
        if self.width > 0 {
            complain("");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_safety_is_told() {
        let drain = view::Drain {
            stopped: Some("2026-05-01T12:00:00.25Z".to_owned()),
            longest_ttl_seconds: 29.3,
            safe_at: Some("2026-05-01T12:00:31Z".to_owned()),
            ..view::Drain::default()
        };
        let expected = "answers stopped at 12:00:00 UTC; the longest answer out there is kept for 30 s; safe at 12:00:31 UTC";
        assert_eq!(progress(&drain), expected);
        let safe = view::Drain { longest_ttl_seconds: 0.0, safe: true, ..drain.clone() };
        assert!(progress(&safe).ends_with("UTC; no answer is kept any more; safe"));
        let requests = view::Requests { value: Some(3.5), quiet: 0.0, at: None, error: None };
        let busy = view::Drain { safe: false, requests: Some(requests), ..safe };
        assert!(progress(&busy).contains("; requests 3.5 (quiet at 0); safe at "));
        let first = view::EndpointRef {
            profile: "app.gtm.example.".to_owned(),
            endpoint: "seattle".to_owned(),
            reason: Some("all are drained".to_owned()),
        };
        let served = view::Drain { still_answered: vec![first], ..drain };
        let expected =
            "1 endpoint still answered with, app.gtm.example. seattle first: all are drained";
        assert_eq!(progress(&served), expected);
    }
}
