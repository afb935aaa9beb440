//! What the operating system knows of this process, under the names that every Prometheus exporter uses.

use std::fs;

use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

use super::text::Text;
use crate::model::Timestamp;

/// Writes down whatever /proc tells; what it doesn't is left out.
pub(super) fn write(started: Timestamp, out: &mut Text) {
    out.gauge(
        "process_start_time_seconds",
        "When the process started, in seconds since 1970.",
        started.0 as f64 / 1000.0,
    );
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        // The directory itself is open while it is counted.
        let open = files.count().saturating_sub(1);
        out.gauge("process_open_fds", "Open file descriptors.", open);
    }
    if let Some(limit) = getrlimit(Resource::Nofile).current {
        out.gauge("process_max_fds", "The limit of open file descriptors.", limit);
    }
    let Ok(stat) = fs::read_to_string("/proc/self/stat") else { return };
    let Some(stat) = Stat::parse(&stat) else { return };
    out.counter(
        "process_cpu_seconds_total",
        "Processor time, of user and system.",
        stat.ticks as f64 / clock_ticks_per_second() as f64,
    );
    out.gauge("process_threads", "Threads.", stat.threads);
    out.gauge("process_virtual_memory_bytes", "Virtual memory.", stat.virtual_bytes);
    let resident = stat.resident_pages.saturating_mul(page_size() as u64);
    out.gauge("process_resident_memory_bytes", "Resident memory.", resident);
}

/// What is used of /proc/PID/stat (proc_pid_stat(5)).
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    ticks: u64,
    threads: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The program's name is in parentheses and may hold anything, also parentheses.
        let (_, fields) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        // Numbered as in the manual, where the first field after the name is the third.
        let field = |number: usize| fields.get(number - 3)?.parse().ok();
        Some(Self {
            ticks: u64::saturating_add(field(14)?, field(15)?),
            threads: field(20)?,
            virtual_bytes: field(23)?,
            resident_pages: field(24)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_whatever_the_program_is_called() {
        let text = "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 9 0 100 4096000 321 9\n";
        let stat = Stat { ticks: 300, threads: 9, virtual_bytes: 4_096_000, resident_pages: 321 };
        assert_eq!(Stat::parse(text), Some(stat));
        assert_eq!(Stat::parse("7 (a"), None);
    }

    #[test]
    fn this_process_is_known() {
        let mut text = Text::default();
        write(Timestamp(1500), &mut text);
        let text = text.into_string();
        assert!(text.contains("process_start_time_seconds 1.5\n"), "{text}");
        for name in [
            "open_fds",
            "max_fds",
            "cpu_seconds_total",
            "threads",
            "virtual_memory_bytes",
            "resident_memory_bytes",
        ] {
            assert!(text.contains(&format!("\nprocess_{name} ")), "{name} is missing: {text}");
        }
    }
}
