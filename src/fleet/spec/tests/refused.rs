//! What is refused, and in which words.

use proptest::prelude::*;

use super::*;

/// Expects exactly these complaints about a text, without the file's name.
#[track_caller]
fn refused(text: &str, expected: &[&str]) {
    let problems = match parse(text) {
        Ok(fleet) => panic!("taken: {fleet:?}"),
        Err(problems) => problems.to_string(),
    };
    let found: Vec<&str> =
        problems.lines().map(|it| it.strip_prefix("conf/fleet.yaml:").unwrap()).collect();
    assert_eq!(found, expected);
}

/// The same, of lines that are added to the base, which has five.
#[track_caller]
fn bad(more: &str, expected: &[&str]) {
    refused(&format!("{BASE}{more}"), expected);
}

/// The same, of keys of an application on the ninth line.
#[track_caller]
fn bad_app(keys: &str, expected: &[&str]) {
    let app = format!("apps:\n- name: shop\n  namespace: shop\n  {keys}");
    bad(&app, expected);
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    refused(
        "\
sites:
- name: Seattle
  cluster: { kubeconfig: a, in_cluster: true }
- cluster: {}
  endpoint: { profile: a..b, name: x, from: { servce: a/b, port: 0 } }
app: []
apps:
- name: shop
  source: { helm: { chart: oci://a/b, version: latest, digest: md5:1 } }
  sites: [ orlando ]
rollout: { waves: [[west]], on_failure: stop, min_capacity: 50 }
drift: 7
",
        &[
            "2: sites[Seattle].name: found \"Seattle\"; write 1 to 63 of a-z, 0-9 and `-`",
            "3: sites[Seattle].cluster: has `kubeconfig` and `in_cluster`, which exclude each other; keep one of them",
            "4: sites[#2].name: is missing; write 1 to 63 of a-z, 0-9 and `-`",
            "4: sites[#2].cluster: lacks what it is about; write `kubeconfig`, `secretRef` or `in_cluster` in it",
            "5: sites[#2].endpoint.profile: found \"a..b\"; has an empty label (two dots in a row, or a leading dot); write a domain name, such as \"app.gtm.example.\"",
            "5: sites[#2].endpoint.from.port: found 0; write a whole number from 1 to 65535",
            "5: sites[#2].endpoint.from.servce: no such key; did you mean `service`?",
            "6: app: no such key; did you mean `apps`?",
            "8: apps[shop].namespace: is missing; write the name of a namespace: 1 to 63 of a-z, 0-9 and `-`, which is neither first nor last",
            "9: apps[shop].source.helm.version: found \"latest\"; write one version in full, such as \"4.13.2\"",
            "9: apps[shop].source.helm.digest: found \"md5:1\"; write `sha256:` and 64 hexadecimal digits in lower case",
            "10: apps[shop].sites[#1]: found \"orlando\"; no such site; add it to `sites`, or name another",
            "11: rollout.on_failure: found \"stop\"; write \"rollback\" or \"hold\"",
            "11: rollout.min_capacity: found 50; write a percentage from 0% to 100%",
            "11: rollout.waves[#1][#1]: found \"west\"; no such site; add it to `sites`, or name another",
            "11: rollout.waves: lacks Seattle; each site is in one wave",
            "12: drift: found 7; write \"report\" or \"heal\"",
        ],
    );
}

#[test]
fn sites_have_a_cluster_each() {
    for (sites, expected) in [
        ("", "0: "),
        ("sites: []", "1: sites: found a list of 0; write a list of 1 to 1000 mappings"),
        (
            "sites: [seattle]",
            "1: sites[#1]: found \"seattle\"; write a mapping with keys of cluster, endpoint, name",
        ),
        (
            "sites: [{name: a, cluster: c}]",
            "1: sites[a].cluster: found \"c\"; write a mapping with keys of in_cluster, kubeconfig, pools, provider, secretRef, uid, version",
        ),
        (
            "sites: [{name: a, cluster: {kubeconfig: ''}}]",
            "1: sites[a].cluster.kubeconfig: found \"\"; write a text that isn't empty",
        ),
        (
            "sites: [{name: a, cluster: {kubeconfig: 7}}]",
            "1: sites[a].cluster.kubeconfig: found 7; write a mapping with keys of context, path",
        ),
        (
            "sites: [{name: a, cluster: {kubeconfig: {context: x}}}]",
            "1: sites[a].cluster.kubeconfig.path: is missing; write a text that isn't empty",
        ),
        (
            "sites: [{name: a, cluster: {in_cluster: true}, endpoint: {profile: p., name: a, from: {service: b/c, port: 80}, workload: web}}]",
            "1: sites[a].endpoint.workload: found \"web\"; write namespace and name, such as \"ingress-nginx/controller\"",
        ),
        (
            "sites: [{name: a, cluster: {in_cluster: true}, endpoint: {profile: p., name: a, from: {service: b/c, port: 80}, workload: {required: true}}}]",
            "1: sites[a].endpoint.workload.service: is missing; write namespace and name, such as \"ingress-nginx/controller\"",
        ),
        (
            "sites: [{name: a, cluster: {in_cluster: false}}]",
            "1: sites[a].cluster.in_cluster: found false; write true",
        ),
        (
            "sites: [{name: a, cluster: {kubeconfig: x, uid: 6f1c}}]",
            "1: sites[a].cluster.uid: found \"6f1c\"; write a UID, as `kubectl get namespace kube-system -o jsonpath={.metadata.uid}` shows it",
        ),
        (
            "sites: [{name: a, cluster: {kubeconfig: x, version: 1.33}}]",
            "1: sites[a].cluster.version: found 1.33; write a version of Kubernetes, such as \"v1.33.4\"",
        ),
        (
            "sites: [{name: a, cluster: {kubeconfig: x, pools: {w: 0}}}]",
            "1: sites[a].cluster.pools.w: found 0; write a whole number from 1 to 10000",
        ),
        (
            "sites: [{name: a, cluster: {kubeconfig: x, provider: {cap: {}}}}]",
            "1: sites[a].cluster.provider.cap: no such key; did you mean `capi`?",
        ),
        (
            "sites: [{name: a, cluster: {secretRef: {name: x, namespace: A}}}]",
            "1: sites[a].cluster.secretRef.namespace: found \"A\"; write the name of a namespace: 1 to 63 of a-z, 0-9 and `-`, which is neither first nor last",
        ),
        (
            "sites:\n- {name: a, cluster: {kubeconfig: x}}\n- {name: a, cluster: {kubeconfig: y}}",
            "3: sites[a].name: found \"a\"; is written twice, the first time at conf/fleet.yaml:2; keep one of them",
        ),
        (
            "sites:\n- {name: a, cluster: {kubeconfig: x}}\n- {name: b, cluster: {kubeconfig: {path: x}}}",
            "3: sites[b].cluster.kubeconfig: is the cluster of site \"a\"; name a file or context of this site's own",
        ),
    ] {
        if sites.is_empty() {
            let problems = parse(sites).unwrap_err().to_string();
            assert_eq!(
                problems,
                "conf/fleet.yaml: lacks what it is about; write `sites` or `resources` in it"
            );
        } else {
            refused(sites, &[expected]);
        }
    }
}

#[test]
fn what_resources_say_the_file_does_not() {
    for (text, expected) in [
        (
            "resources: { cluster: {}, namespace: A }",
            &[
                "1: resources.cluster: lacks what it is about; write `kubeconfig`, `secretRef` or `in_cluster` in it",
                "1: resources.namespace: found \"A\"; write the name of a namespace: 1 to 63 of a-z, 0-9 and `-`, which is neither first nor last",
            ][..],
        ),
        (
            "resources: { cluster: { in_cluster: true } }\napps: []\nrollout: {}\n",
            &[
                "2: apps: and `resources` exclude each other; make a FleetApp of it in the cluster, or remove `resources`",
                "3: rollout: and `resources` exclude each other; make a Rollout of it in the cluster, or remove `resources`",
            ],
        ),
    ] {
        refused(text, expected);
    }
    let problems = parse(&format!("{BASE}resources: {{ cluster: {{ in_cluster: true }} }}\n"));
    assert_eq!(
        problems.unwrap_err().to_string(),
        "conf/fleet.yaml: has `sites` and `resources`, which exclude each other; keep one of them"
    );
}

#[test]
fn an_endpoint_belongs_to_one_site() {
    let site = |name: &str, profile: &str| {
        format!(
            "- name: {name}\n  cluster: {{ kubeconfig: {name} }}\n  endpoint: {{ profile: {profile}, name: x, from: {{ service: a/b, port: 80 }} }}\n"
        )
    };
    let sites =
        |other: &str| format!("sites:\n{}{}", site("a", "app.gtm.example."), site("b", other));
    good(&sites("other.gtm.example."));
    refused(
        &sites("App.gtm.example"),
        &["7: sites[b].endpoint.name: found \"x\"; is the endpoint of site \"a\"; name another"],
    );
    let from = |from: &str| {
        format!(
            "sites:\n- name: a\n  cluster: {{ kubeconfig: a }}\n  endpoint: {{ profile: p., name: x, from: {from} }}\n"
        )
    };
    good(&from("{ ingress: a/b, port: 443 }"));
    for (written, expected) in [
        (
            "{ port: 80 }",
            "4: sites[a].endpoint.from: lacks what it is about; write `service`, `ingress` or `gateway` in it",
        ),
        (
            "{ service: a/b, ingress: a/b, port: 80 }",
            "4: sites[a].endpoint.from: has `service` and `ingress`, which exclude each other; keep one of them",
        ),
        (
            "{ service: controller, port: 80 }",
            "4: sites[a].endpoint.from.service: found \"controller\"; write namespace and name, such as \"ingress-nginx/controller\"",
        ),
        (
            "{ service: a/b, port: '80' }",
            "4: sites[a].endpoint.from.port: found \"80\"; write a whole number from 1 to 65535",
        ),
    ] {
        refused(&from(written), &[expected]);
    }
}

#[test]
fn applications_refer_to_what_there_is() {
    for (keys, expected) in [
        (
            "source: {}",
            "9: apps[shop].source: lacks what it is about; write `manifests`, `kustomize` or `helm` in it",
        ),
        (
            "source: { manifest: a }",
            "9: apps[shop].source.manifest: no such key; did you mean `manifests`?",
        ),
        (
            "source: { manifests: a, kustomize: b }",
            "9: apps[shop].source: has `manifests` and `kustomize`, which exclude each other; keep one of them",
        ),
        ("source: { manifests: '' }", "9: apps[shop].source.manifests: found \"\"; write a path"),
        (
            "source: { helm: { chart: oci://a/b } }",
            "9: apps[shop].source.helm.version: is missing; write the chart's version, or its `digest`, so that all sites get the same",
        ),
        (
            "source: { helm: { chart: oci://a/b, version: 1.2.3, repo: 'http://a' } }",
            "9: apps[shop].source.helm.repo: is of no use with `oci://`; remove it",
        ),
        (
            "source: { helm: { chart: a, values: { mode: 0644 } } }",
            "9: apps[shop].source.helm.values.mode: is no text, number or boolean by YAML 1.2, or is too large; write it in quotes",
        ),
        (
            "source: { helm: { chart: a, values: hushed } }",
            "9: apps[shop].source.helm.values: write a mapping of values, as in a `values.yaml`",
        ),
        (
            "source: { helm: { chart: a, repo: 'ftp://a', version: 1.2.3 } }",
            "9: apps[shop].source.helm.repo: found \"ftp://a\"; write a URL that begins with http:// or https://",
        ),
        (
            "source: { manifests: a }\n  sites: [seatle]",
            "10: apps[shop].sites[#1]: found \"seatle\"; no such site; did you mean \"seattle\"?",
        ),
        (
            "source: { manifests: a }\n  sites: [seattle, seattle]",
            "10: apps[shop].sites[#2]: found \"seattle\"; is named twice; remove one",
        ),
        (
            "source: { manifests: a }\n  overrides: { west: {} }",
            "10: apps[shop].overrides.west: no such site; add it to `sites`, or name another",
        ),
        (
            "source: { manifests: a }\n  sites: [orlando]\n  overrides: { seattle: {} }",
            "11: apps[shop].overrides.seattle: the application doesn't run on this site; add it to `sites`, or remove this",
        ),
        (
            "source: { manifests: a }\n  overrides: { seattle: { values: {} } }",
            "10: apps[shop].overrides.seattle.values: goes with `source.helm`; remove it",
        ),
        (
            "source: { manifests: a }\n  overrides: { seattle: { replicas: { web: -1 } } }",
            "10: apps[shop].overrides.seattle.replicas.web: found -1; write a whole number from 0 to 10000",
        ),
        (
            "source: { manifests: a }\n  valuesFrom: [{ file: a }]",
            "10: apps[shop].valuesFrom: goes with `source.helm`; remove it",
        ),
        (
            "source: { manifests: a }\n  autoscale: [{ target: Deployment/web, cpu: 80, min: 3, max: 2 }]",
            "10: apps[shop].autoscale[#1].min: found 3; is more than `max`; write a whole number from 1 to 2",
        ),
        (
            "source: { manifests: a }\n  autoscale: [{ target: web, cpu: 80, max: 2 }]",
            "10: apps[shop].autoscale[#1].target: found \"web\"; write kind and name, such as \"Deployment/web\"",
        ),
        (
            "source: { manifests: a }\n  autoscale: [{ target: DaemonSet/web, cpu: 80, max: 2 }]",
            "10: apps[shop].autoscale[#1].target: found \"DaemonSet/web\"; can't be scaled; write a Deployment or a StatefulSet",
        ),
        (
            "source: { manifests: a }\n  autoscale: [{ target: Deployment/web, max: 2 }]",
            "10: apps[shop].autoscale[#1].cpu: is missing; write a whole number from 1 to 1000",
        ),
        (
            "source: { manifests: a }\n  autoscale: [{ target: Deployment/web, cpu: 80, max: 2 }]\n  overrides: { seattle: { replicas: { web: 2 } } }",
            "11: apps[shop].overrides.seattle.replicas.web: `autoscale` sets the replicas of web; remove one of the two",
        ),
        (
            "source: { manifests: a }\n  ready: [Web]",
            "10: apps[shop].ready[#1]: found \"Web\"; write kind and name, such as \"Deployment/web\"",
        ),
        (
            "source: { manifests: a }\n  prune: { also: [Secret] }",
            "10: apps[shop].prune.also[#1]: found \"Secret\"; write \"Namespace\", \"CustomResourceDefinition\" or \"PersistentVolumeClaim\"",
        ),
        (
            "source: { manifests: a }\n  gate: { http: 'https:/user:hushed@a' }",
            "10: apps[shop].gate.http: write a URL that begins with http:// or https://",
        ),
        (
            "source: { manifests: a }\n  drift: heal",
            "10: apps[shop].drift: no such key; the keys here are autoscale, gate, name, namespace, overrides, prune, ready, sites, source, valuesFrom",
        ),
    ] {
        bad_app(keys, &[expected]);
    }
    let twice = "apps:\n- &a name: shop\n";
    bad(twice, &["7: apps[#1].name: an anchor (`&name`) isn't taken; remove it"]);
}

#[test]
fn rollouts_can_be_gone_through() {
    for (keys, expected) in [
        (
            "waves: [[seattle], [seattle, orlando]]",
            "6: rollout.waves[#2][#1]: found \"seattle\"; is named twice; remove one",
        ),
        ("waves: [[seattle]]", "6: rollout.waves: lacks orlando; each site is in one wave"),
        (
            "waves: [[seattle, orlando], []]",
            "6: rollout.waves[#2]: found a list of 0; write a list of 1 to 1000, each 1 to 63 of a-z, 0-9 and `-`",
        ),
        (
            "min_healthy_sites: 2",
            "6: rollout.min_healthy_sites: found 2; leaves no site that can be drained, as there are 2; write less than that",
        ),
        (
            "min_capacity: 150%",
            "6: rollout.min_capacity: found \"150%\"; write a percentage from 0% to 100%",
        ),
        (
            "ramp: [50, 10, 100]",
            "6: rollout.ramp[#2]: found 10; isn't more than 50 before it; write shares that rise",
        ),
        (
            "ramp: [10, 50]",
            "6: rollout.ramp[#2]: found 50; is the last share, and not all of the weight; end with 100",
        ),
        ("ramp: [0, 100]", "6: rollout.ramp[#1]: found 0; write a whole number from 1 to 100"),
        (
            "ramp: []",
            "6: rollout.ramp: found a list of 0; write a list of 1 to 20, each a whole number from 1 to 100",
        ),
        ("step: 2", "6: rollout.step: found 2; write a duration from \"0s\" to \"24h\""),
        ("step: 25h", "6: rollout.step: found \"25h\"; write a duration from \"0s\" to \"24h\""),
        (
            "verify: { timeout: 0s }",
            "6: rollout.verify.timeout: found \"0s\"; write a duration from \"1s\" to \"24h\"",
        ),
        (
            "verify: { probes: 0 }",
            "6: rollout.verify.probes: found 0; write a whole number from 1 to 1000",
        ),
        (
            "drain: { ttl_factor: 0.5 }",
            "6: rollout.drain.ttl_factor: found 0.5; write a number from 1 to 100",
        ),
        (
            "drain: { quiet: { promql: up } }",
            "6: rollout.drain.quiet.max: is missing; write a number from 0 to 1000000000000",
        ),
        (
            "drain: { on_timeout: abort }",
            "6: rollout.drain.on_timeout: found \"abort\"; write \"hold\" or \"proceed\"",
        ),
        (
            "windows: ['Mon-Thu 20:00 UTC']",
            "6: rollout.windows[#1]: found \"Mon-Thu 20:00 UTC\"; has no times from 00:00 to 24:00 with `-` between them; write days, times and time zone, such as \"Mon-Thu 20:00-23:00 America/New_York\"",
        ),
        ("soak: null", "6: rollout.soak: found null; write a duration from \"0s\" to \"24h\""),
    ] {
        bad(&format!("rollout: {{ {keys} }}"), &[expected]);
    }
}

#[test]
fn no_application_is_called_like_the_monitoring() {
    bad(
        "apps:\n- name: farol-monitoring\n  namespace: a\n  source: { manifests: a }",
        &[
            "7: apps[farol-monitoring].name: found \"farol-monitoring\"; is what the monitoring is called among the apps; take another name",
        ],
    );
}

#[test]
fn monitoring_is_checked_as_applications_are() {
    for (keys, expected) in [
        (
            "release: { chart: oci://a/b }",
            "6: monitoring.release.version: is missing; write the chart's version, or its `digest`, so that all sites get the same",
        ),
        ("alerts: yes", "6: monitoring.alerts: found \"yes\"; write true or false"),
        (
            "scrape: { service: { namespace: farol, labels: { app: farol }, prt: metrics, port: m } }",
            "6: monitoring.scrape.service.prt: no such key; did you mean `port`?",
        ),
        (
            "prometheus: 'ftp://user:hushed@a'",
            "6: monitoring.prometheus: write a URL that begins with http:// or https://",
        ),
        (
            "prometheus: { service: prometheus }",
            "6: monitoring.prometheus.service: found \"prometheus\"; write namespace, name and port of a Service, such as \"monitoring/prometheus:9090\"",
        ),
    ] {
        bad(&format!("monitoring: {{ {keys} }}"), &[expected]);
    }
}

fn damage(text: &str, at: usize, length: usize, insert: &str) -> String {
    let floor = |at: usize| (0..=at.min(text.len())).rev().find(|it| text.is_char_boundary(*it));
    let (from, to) = (floor(at).unwrap_or(0), floor(at + length).unwrap_or(0));
    [&text[..from], insert, &text[to..]].concat()
}

fn piece() -> impl Strategy<Value = String> {
    let known = vec![
        "- ",
        ": ",
        "{",
        "}",
        "[",
        "]",
        "'",
        "\n",
        "\n  ",
        "null",
        "0",
        "-1",
        "010",
        ".nan",
        "1e400",
        "true",
        "%",
        "&x *x",
        "!!str ",
        "---\n",
        "helm: ",
        "kubeconfig: ",
        "sites:\n",
        "apps: []\n",
        "9223372036854775808",
        "a/b",
        "ñ",
    ];
    prop_oneof![prop::sample::select(known).prop_map(str::to_owned), "\\PC{0,12}", any::<String>()]
}

proptest! {
    #[test]
    fn damaged_descriptions_never_panic(
        damages in prop::collection::vec((0..4_000_usize, 0..40_usize, piece()), 1..6),
    ) {
        let mut text = EXAMPLE.to_owned();
        for (at, length, insert) in damages {
            let at = at % (text.len() + 1);
            text = damage(&text, at, length, &insert);
        }
        if let Err(problems) = parse(&text) {
            prop_assert!(problems.iter().count() > 0);
            prop_assert_eq!(problems.to_string().lines().count(), problems.iter().count());
            // What passes the schema fits the types.
            prop_assert!(!problems.to_string().contains("can't be used"), "{}", problems);
        }
    }
}
