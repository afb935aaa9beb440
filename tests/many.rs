//! A large configuration.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::fmt::Write;

use common::daemon::Daemon;
use common::site::Site;

#[test]
fn a_thousand_profiles_start_and_answer() {
    const PROFILES: u32 = 1000;
    let site = Site::start();
    let address = site.address;
    let mut config = format!(
        "[[zone]]\nname = 'gtm.example.'\nnameservers = 'ns.example.'\n\
         [monitor.site]\nprotocol = 'tcp'\naddress = '{address}'\n"
    );
    for number in 0..PROFILES {
        write!(
            config,
            "[[profile]]\nname = 'p{number}.gtm.example.'\nmethod = 'priority'\nmonitor = 'site'\n"
        )
        .unwrap();
        for endpoint in 0..3 {
            let target = std::net::Ipv4Addr::from(0x0a00_0000 + number * 4 + endpoint);
            write!(config, "[[profile.endpoint]]\nname = 'e{endpoint}'\ntarget = '{target}'\n")
                .unwrap();
        }
    }
    let daemon = Daemon::start(&config);
    let check = || {
        for number in 0..PROFILES {
            let expected = std::net::Ipv4Addr::from(0x0a00_0000 + number * 4).to_string();
            assert_eq!(daemon.answers(&format!("p{number}.gtm.example."), "A"), [expected]);
        }
    };
    check();
    let daemon = &daemon;
    common::wait_until("ready daemon", || daemon.api.get("/readyz").status == 200);
    check();
    let status = daemon.api.must("GET", "/v1/status", "");
    assert_eq!(status["profiles"], PROFILES);
    assert_eq!(status["failing_open"], serde_json::json!([]));
}
