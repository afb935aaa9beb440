//! How many answers a network may have.

use super::*;

#[track_caller]
fn limits(keys: &str) -> RateLimit {
    good(&format!("{BASE}[rate_limit]\n{keys}")).rate_limit.unwrap()
}

#[test]
fn limits_are_there_only_where_they_are_written() {
    assert_eq!(good(BASE).rate_limit, None);
    bad(
        "[rate_limit]\n",
        &["conf/a.toml:13: rate_limit.responses_per_second: is missing; write a"],
    );
    bad(
        "[rate_limit]\nslip = 3\n",
        &["rate_limit.responses_per_second: is missing; write a whole"],
    );
    let variable = ("FAROL__RATE_LIMIT__RESPONSES_PER_SECOND".into(), "9".into());
    let inputs = Inputs { environment: vec![variable], ..Inputs::default() };
    let settings = load_under(&[("conf/a.toml", BASE)], &inputs).unwrap();
    assert_eq!(settings.rate_limit.unwrap().errors_per_second, 9);
}

#[test]
fn limits_have_their_defaults() {
    let least = RateLimit {
        responses_per_second: 20,
        nxdomains_per_second: 20,
        errors_per_second: 20,
        window: Duration::from_secs(15),
        slip: 2,
        ipv4_prefix: 24,
        ipv6_prefix: 56,
        exempt: Box::default(),
    };
    assert_eq!(limits("responses_per_second = 20"), least);
    let all = "responses_per_second = 20\nnxdomains_per_second = 5\nerrors_per_second = 1000000\nwindow = '1h'\nslip = 0\n\
               ipv4_prefix = 32\nipv6_prefix = 64\nexempt = ['192.0.2.0/24', '2001:db8::/32']\n";
    let expected = RateLimit {
        nxdomains_per_second: 5,
        errors_per_second: 1_000_000,
        window: Duration::from_secs(3600),
        slip: 0,
        ipv4_prefix: 32,
        ipv6_prefix: 64,
        exempt: ["192.0.2.0/24", "2001:db8::/32"].map(|it| it.parse().unwrap()).into(),
        ..least
    };
    assert_eq!(limits(all), expected);
    assert_eq!(limits("responses_per_second = 1\nexempt = '10.0.0.0/8'").exempt.len(), 1);
}

#[test]
fn limits_are_checked() {
    for (key, expected) in [
        ("nxdomains_per_second = 0", "found 0; write a whole number from 1 to 1000000"),
        ("errors_per_second = 1000001", "found 1000001; write a whole number from 1 to 1000000"),
        ("errors_per_second = 0.5", "found 0.5; write a whole number"),
        ("window = '999ms'", r#"found "999ms"; write a duration from "1s" to "1h""#),
        ("window = 15", "found 15; write a duration"),
        ("slip = 11", "found 11; write a whole number from 0 to 10"),
        ("slip = -1", "found -1; write a whole number from 0 to 10"),
        ("ipv4_prefix = 33", "found 33; write a whole number from 1 to 32"),
        ("ipv6_prefix = 0", "found 0; write a whole number from 1 to 128"),
        ("exempt = []", "found a list of 0; write a network such as"),
        ("exempt = '192.0.2.1/24'", "rate_limit.exempt: found \"192.0.2.1/24\"; "),
        ("exempt = ['localhost']", "rate_limit.exempt: found \"localhost\"; "),
        ("exempt = 7", "found 7; write a network such as"),
        ("slipp = 1", "rate_limit.slipp: no such key; did you mean `slip`?"),
    ] {
        bad(&format!("[rate_limit]\nresponses_per_second = 1\n{key}\n"), &[expected]);
    }
    bad("[rate_limit]\nresponses_per_second = 0\n", &["found 0; write a whole number from 1"]);
}
