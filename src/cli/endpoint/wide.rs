use crate::api::view;
use crate::cli::output::ago;

/// The columns that a wide table of endpoints has more.
pub(super) const HEADER: [&str; 6] =
    [">ANSWERS", ">CAPACITY", "VERDICT", "PROBE", "LAST PROBE", "CERTIFICATE"];

/// What stands in them.
pub(super) fn cells(endpoint: &view::Endpoint) -> [String; 6] {
    [
        endpoint.answers.to_string(),
        endpoint.capacity.to_string(),
        endpoint.verdict.clone().unwrap_or_default(),
        probed(endpoint),
        endpoint.last_probe.as_ref().map(last_probe).unwrap_or_default(),
        endpoint.certificate.as_ref().map(|it| it.expires.clone()).unwrap_or_default(),
    ]
}

/// "https 192.0.2.1:443".
fn probed(endpoint: &view::Endpoint) -> String {
    if endpoint.profile.is_some() {
        return String::new();
    }
    let monitor = &endpoint.monitor;
    format!("{} {}", monitor.protocol, monitor.addresses.join(", ")).trim_end().to_owned()
}

/// "passed in 12 ms, 3s ago".
fn last_probe(probe: &view::LastProbe) -> String {
    format!("{} in {:.0} ms, {}", probe.result, probe.seconds * 1000.0, ago(&probe.at))
}

#[cfg(test)]
mod tests {
    use super::super::{endpoint_table, samples};

    #[test]
    fn a_wide_table_says_how_endpoints_are_probed_and_what_came_of_it() {
        let text = endpoint_table(&[samples::profile()], true, true);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].contains("SHARE  ANSWERS  CAPACITY  VERDICT   PROBE"), "{text}");
        let failing = " 60 %     1200         1  Degraded  https 192.0.2.1:443  failed in 2 ms, ";
        assert!(lines[1].contains(failing) && lines[1].ends_with("connect: refused"), "{text}");
        assert!(!endpoint_table(&[samples::profile()], true, false).contains("VERDICT"));
    }
}
