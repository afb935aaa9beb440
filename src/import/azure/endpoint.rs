//! Endpoints: what each stands for, and what its profile's method looks at.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::Reading;
use super::fields::Fields;
use super::monitor::{headers, of_endpoint};
use crate::import::arm::below_profiles;
use crate::import::draft::{Endpoint, MinChildren, Monitor, Target, ident, is_host};
use crate::import::report::Report;
use crate::model::{GeoCode, GeoCodeError, Method, Subnet};

const OF_AZURE: [&str; 7] =
    ["id", "etag", "resourceGroup", "endpointMonitorStatus", "location", "apiVersion", "comments"];

/// What an endpoint has from its profile.
pub(super) struct Owner<'o> {
    pub(super) method: Method,
    pub(super) monitor: &'o Monitor,
    /// Names of endpoints that are taken.
    pub(super) names: HashSet<String>,
    /// The profile's name in Azure.
    pub(super) place: &'o str,
}

/// Reads one; none where nothing is known that it could stand for.
pub(super) fn endpoint(
    object: &Map<String, Value>,
    at: usize,
    owner: &mut Owner<'_>,
    reading: &mut Reading<'_>,
) -> Option<Endpoint> {
    let shown = object.get("name").and_then(Value::as_str).unwrap_or_default();
    let called = if shown.is_empty() { format!("endpoint-{}", at + 1) } else { shown.to_owned() };
    let place = format!("{}/{called}", owner.place);
    let fields = Fields::new(place, object);
    for key in ["name", "type"] {
        fields.find(key);
    }
    let target = target(&fields, &called, owner, reading);
    let own_headers = headers(&fields, "customHeaders", reading.report);
    let always_serve = fields.switch("alwaysServe", reading.report).unwrap_or(false);
    let enabled = fields.switch("endpointStatus", reading.report).unwrap_or(true);
    let site = site(&fields, owner.method, reading);
    let weight = fields.number("weight", 0, 65_535, reading.report);
    let priority = fields.number("priority", 1, 65_535, reading.report);
    let geo = geo(&fields, reading.report);
    let subnets = subnets(&fields, reading.report);
    let report = &mut *reading.report;
    fields.tell_rest(&OF_AZURE, report);
    let (target, host) = target?;

    let name = ident(&called, &mut owner.names);
    if !name.eq_ignore_ascii_case(&called) {
        report.differs(
            &fields.place,
            "names of endpoints: others are written with - in place of what Farol's may not have",
            "Farol's are of a-z, 0-9 and -",
            "",
        );
    }
    let mut endpoint = Endpoint::new(name, target);
    endpoint.enabled = enabled;
    endpoint.site = site;
    if !enabled {
        report.same(&fields.place, "endpointStatus Disabled → enabled = false");
    }
    let is_nested = matches!(endpoint.target, Target::Profile { .. });
    if always_serve && !is_nested {
        report.same(&fields.place, "alwaysServe Enabled → monitor = { protocol = \"none\" }");
        endpoint.monitor = Some(Monitor::none());
    } else if always_serve {
        report.unsupported(
            &fields.place,
            "alwaysServe of a nested endpoint",
            "whether a nested profile serves is for its own endpoints to say",
            "set protocol = \"none\" in the nested profile",
        );
    } else if let Some(host) = host {
        endpoint.monitor = of_endpoint(owner.monitor, own_headers, &host, &fields.place, report);
    }
    keep_what_counts(
        &mut endpoint,
        owner.method,
        (weight, priority, geo, subnets),
        &fields.place,
        report,
    );
    Some(endpoint)
}

type Choosing = (Option<u32>, Option<u32>, Vec<String>, Vec<String>);

/// Azure looks at one thing by method; Farol would share equals by weight, so what doesn't count is not written.
fn keep_what_counts(
    endpoint: &mut Endpoint,
    method: Method,
    (weight, priority, geo, subnets): Choosing,
    place: &str,
    report: &mut Report,
) {
    let others = [
        ("weight", method != Method::Weighted && weight.is_some_and(|it| it != 1)),
        ("geoMapping", method != Method::Geographic && !geo.is_empty()),
        ("subnets", method != Method::Subnet && !subnets.is_empty()),
    ];
    for (key, _) in others.into_iter().filter(|it| it.1) {
        report.same(place, format!("{key}, which the method doesn't look at, is left out"));
    }
    match method {
        Method::Weighted => {
            endpoint.weight = Some(weight.unwrap_or(1));
            report.same(place, "weight → weight");
        }
        Method::Priority => {
            endpoint.priority = priority;
            report.same(place, "priority → priority; without it, the order of writing");
        }
        Method::Geographic => {
            endpoint.geo = geo;
            report.same(place, "geoMapping → geo");
        }
        Method::Subnet => {
            endpoint.subnets = subnets;
            report.same(place, "subnets → subnets; an endpoint without any serves everybody else");
        }
        Method::Performance | Method::Multivalue => {}
    }
}

/// What an endpoint stands for, and what its probes ask for where it is probed.
fn target(
    fields: &Fields<'_>,
    called: &str,
    owner: &Owner<'_>,
    reading: &mut Reading<'_>,
) -> Option<(Target, Option<String>)> {
    let report = &mut *reading.report;
    let target = fields.text("target", report);
    let id = fields.text("targetResourceId", report);
    let kind = fields.text("type", report).and_then(below_profiles).unwrap_or_default();
    let kind = kind.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let mins = ["minChildEndpoints", "minChildEndpointsIPv4", "minChildEndpointsIPv6"];
    let [any, v4, v6] = mins.map(|it| fields.number::<u32>(it, 0, 65_535, report));
    let leads_to_profile =
        id.is_some_and(|it| it.to_ascii_lowercase().contains("/trafficmanagerprofiles/"));
    if kind == "nestedendpoints" || leads_to_profile {
        return nested(fields, id, target, (any, v4, v6), reading);
    }
    let given = reading.target(owner.place, called).map(str::to_owned);
    if let Some(given) = given.or_else(|| target.map(str::to_owned)) {
        if id.is_some() {
            reading.report.differs(
                &fields.place,
                "targetResourceId → the target of this moment",
                "Farol doesn't follow resources of Azure; where one gets another address or is stopped, only probes tell",
                "give it a name or an address that stays",
            );
        }
        return match Target::of(&given) {
            Target::Name(_) if !is_host(&given) => no_target(
                fields,
                "its target is neither an address nor a name in full",
                reading.report,
            ),
            known => Some((known, Some(given))),
        };
    }
    let why = match id {
        Some(_) => {
            "it is known by its targetResourceId alone, and only Azure knows what address or name that has"
        }
        None => "it has no target",
    };
    no_target(fields, why, reading.report)
}

fn no_target<T>(fields: &Fields<'_>, why: &str, report: &mut Report) -> Option<T> {
    report.unsupported(
        &fields.place,
        "an endpoint that is left out",
        why,
        "give its address or name: --target PROFILE/ENDPOINT=VALUE, with the names of Azure",
    );
    None
}

fn nested(
    fields: &Fields<'_>,
    id: Option<&str>,
    target: Option<&str>,
    (any, v4, v6): (Option<u32>, Option<u32>, Option<u32>),
    reading: &mut Reading<'_>,
) -> Option<(Target, Option<String>)> {
    let Some(name) = reading.known.child(id, target, reading.zone) else {
        return no_target(
            fields,
            "it is nested, and says neither targetResourceId nor target",
            reading.report,
        );
    };
    let report = &mut *reading.report;
    report.same(
        &fields.place,
        "nested endpoints → profile, with minChildEndpoints → min_child_endpoints",
    );
    if v4.or(v6).is_some() {
        report.same(
            &fields.place,
            "minChildEndpointsIPv4 and IPv6 → min_child_endpoints_ipv4 and _ipv6",
        );
    }
    let min =
        MinChildren { any: any.unwrap_or(1).max(1), v4: v4.unwrap_or(0), v6: v6.unwrap_or(0) };
    Some((Target::Profile { name, min }, None))
}

fn site(fields: &Fields<'_>, method: Method, reading: &mut Reading<'_>) -> Option<String> {
    let location = fields.text("endpointLocation", reading.report);
    match location {
        Some(location) => {
            let site = reading.site(location);
            if site.is_some() {
                reading.report.same(
                    &fields.place,
                    "endpointLocation → a site there, which can be drained as a whole",
                );
            } else {
                reading.report.unsupported(
                    &fields.place,
                    format!("the region {location}"),
                    "where it is, is not known here",
                    "give the endpoint a site with a location, or a location of its own",
                );
            }
            site
        }
        None => {
            if method == Method::Performance {
                reading.report.unsupported(
                    &fields.place,
                    "Performance without endpointLocation",
                    "Farol can't say how near the endpoint is; it comes after those that have a place",
                    "give the endpoint a site with a location, or a location of its own",
                );
            }
            None
        }
    }
}

fn geo(fields: &Fields<'_>, report: &mut Report) -> Vec<String> {
    let mut codes = Vec::new();
    for it in fields.list("geoMapping", report) {
        let text = it.as_str().unwrap_or_default();
        // Azure's own codes of parts of countries that ISO has whole.
        let meant = match text.to_ascii_uppercase().as_str() {
            "XE" | "XS" => "BQ".to_owned(),
            "XJ" => "SJ".to_owned(),
            other => other.to_owned(),
        };
        let read = match meant.parse::<GeoCode>() {
            Err(GeoCodeError::Mistaken(code)) => Ok(code),
            other => other,
        };
        match read {
            Ok(code) if codes.contains(&code.to_string()) => {}
            Ok(code) => codes.push(code.to_string()),
            Err(error) => report.unsupported(
                &fields.place,
                format!("the region {text}"),
                "Farol has the codes of ISO 3166, and Azure's groupings",
                error.to_string(),
            ),
        }
        if !meant.eq_ignore_ascii_case(text) {
            report.differs(
                &fields.place,
                format!("the region {text} → {meant}"),
                "ISO 3166 has one code for it",
                "",
            );
        }
    }
    codes
}

fn subnets(fields: &Fields<'_>, report: &mut Report) -> Vec<String> {
    let mut subnets = Vec::new();
    for it in fields.list("subnets", report) {
        let text = |key: &str| it.get(key).and_then(Value::as_str).filter(|it| !it.is_empty());
        let scope =
            it.get("scope").and_then(|it| it.as_u64().or_else(|| it.as_str()?.parse().ok()));
        let written = match (text("first"), text("last"), scope) {
            (Some(first), Some(last), _) => format!("{first}-{last}"),
            (Some(first), None, Some(scope)) => network(first, scope),
            (Some(first), None, None) => first.to_owned(),
            _ => it.to_string(),
        };
        match written.parse::<Subnet>() {
            Ok(subnet) => subnets.push(subnet.to_string()),
            Err(error) => report.unsupported(
                &fields.place,
                format!("the subnet {written}"),
                "it is no network, range or address",
                error.to_string(),
            ),
        }
    }
    subnets
}

/// The network of so many leading bits around an address.
fn network(first: &str, scope: u64) -> String {
    let whole = || {
        let address = first.parse().ok()?;
        let net = ipnet::IpNet::new(address, u8::try_from(scope).ok()?).ok()?;
        Some(net.trunc().to_string())
    };
    whole().unwrap_or_else(|| format!("{first}/{scope}"))
}
