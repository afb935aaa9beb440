//! A promise of time: a site that fails is out of the answers within 2.5 seconds.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "what tests share may panic like tests"
)]

mod common;

use std::fmt::Write;
use std::thread;
use std::time::{Duration, Instant};

use common::daemon::Daemon;
use common::dns::{Query, Reply, exchange};
use common::site::Site;
use common::wait_until;

const TRIES: u64 = 20;
const PROMISE: Duration = Duration::from_millis(2500);
/// The interval of probes, over which the tries are spread.
const INTERVAL: Duration = Duration::from_secs(1);

fn config(sites: &[Site], spare: &Site) -> String {
    let mut config = "
        [[zone]]
        name = 'gtm.example.'
        nameservers = 'ns.gtm.example.'
        [monitor.site]
        interval = '1s'
        fast_interval = '500ms'
        timeout = '500ms'
        tolerated_failures = 1
        required_successes = 2
        flap = { count = 0 }
        "
    .to_owned();
    for (number, site) in sites.iter().enumerate() {
        let endpoint = |name: &str, site: &Site| {
            let (target, address) = (site.address.ip(), site.address);
            format!(
                "[[profile.endpoint]]\nname = '{name}'\ntarget = '{target}'\naddress = '{address}'\n"
            )
        };
        write!(
            config,
            "[[profile]]\nname = 'app{number}.gtm.example.'\nmethod = 'priority'\nttl = 1\nmonitor = 'site'\n{}{}",
            endpoint("first", site),
            endpoint("second", spare)
        )
        .unwrap();
    }
    config
}

/// Asks until the first answer that is not the site's; tells how long after `failed` that was.
fn time_to_fail_over(daemon: &Daemon, name: &str, site: &Site, failed: Instant) -> Duration {
    let (socket, query) = (daemon.client(), Query::new(name, "A").wire());
    let site = site.address.ip().to_string();
    loop {
        let reply = Reply::read(&exchange(&socket, &query).unwrap());
        assert_eq!(reply.answer.len(), 1, "always one answer: {reply:?}");
        if reply.data() != [&*site] {
            return failed.elapsed();
        }
        assert!(failed.elapsed() < common::PATIENCE, "{name} did not fail over");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_failed_site_is_out_of_the_answers_in_time_and_comes_back() {
    let spare = Site::start();
    let mut sites: Vec<Site> = (0..TRIES).map(|_| Site::start()).collect();
    let daemon = Daemon::start(&config(&sites, &spare)).ready();
    let name = |number: usize| format!("app{number}.gtm.example.");
    for (number, site) in sites.iter().enumerate() {
        let status = || daemon.status(&name(number), "first");
        wait_until("Online site", || status() == "Online");
        assert_eq!(daemon.answers(&name(number), "A"), [site.address.ip().to_string()]);
    }

    // Half of the sites refuse connections, the others take them and say nothing.
    let mut times: Vec<Duration> = thread::scope(|scope| {
        let tries: Vec<_> = (0..)
            .zip(&mut sites)
            .map(|(number, site)| {
                let (daemon, name) = (&daemon, name(number));
                let phase =
                    INTERVAL * u32::try_from(number).unwrap() / u32::try_from(TRIES).unwrap();
                scope.spawn(move || {
                    thread::sleep(phase); // not to wait for anything: to fail at another phase of the probes
                    let failed = Instant::now();
                    if number % 2 == 0 {
                        site.kill()
                    } else {
                        site.hang()
                    }
                    time_to_fail_over(daemon, &name, site, failed)
                })
            })
            .collect();
        tries.into_iter().map(|it| it.join().unwrap()).collect()
    });
    times.sort();
    let worst = *times.last().unwrap();
    println!("time to fail over, of {TRIES}: median {:?}, worst {worst:?}", times[times.len() / 2]);
    assert!(worst <= PROMISE, "{times:?}");

    for site in &mut sites {
        site.revive();
    }
    for (number, site) in sites.iter().enumerate() {
        let address = site.address.ip().to_string();
        wait_until("way back", || daemon.answers(&name(number), "A") == [&*address]);
        assert!(site.answered() >= 2, "required_successes");
    }
    daemon.stop();
}
