//! geoip: datacenters in an order that depends on where the client is.

use std::collections::{HashMap, HashSet};

use super::Reading;
use super::meta::{in_order, skips};
use super::places::{Choice, Places};
use super::resource::{Scope, Wanted, profile};
use super::vscf::{self, Node, Value};
use crate::import::draft::{Endpoint, MinChildren, Profile, Site, Target, ident};
use crate::model::{Method, parse_network};

/// A resource while it is taken apart.
struct Resource<'n> {
    node: &'n Node,
    scope: Scope,
    /// Those that have coordinates, with them.
    coordinates: HashMap<String, (f64, f64)>,
    skips_first: bool,
    /// Endpoints for datacenters that were made; none where there is nothing to lead to.
    made: HashMap<String, Option<Endpoint>>,
    names: HashSet<String>,
    /// Endpoints for choices that were made.
    chosen: Vec<(Choice, Endpoint)>,
}

impl Reading<'_> {
    pub(super) fn geoip(
        &mut self,
        node: &Node,
        settings: &Scope,
        datacenter: Option<&str>,
        wanted: &Wanted<'_>,
    ) -> Option<Profile> {
        let scope = settings.under(node);
        if let Some(one) = datacenter {
            return self.one_datacenter(node, one, &scope, wanted);
        }
        let map_name = node.get("map").and_then(Node::text).unwrap_or_default();
        let maps = self.plugins.and_then(|it| it.get("geoip")?.get("maps"));
        let Some(map) = maps.and_then(|it| it.get(map_name)) else {
            self.report.unsupported(
                wanted.place,
                format!("the map {map_name}"),
                "geoip's maps have none of this name; the resource is left out",
                "correct it, and import again",
            );
            return None;
        };
        let order: Vec<String> = map
            .get("datacenters")
            .map(Node::texts)
            .unwrap_or_default()
            .into_iter()
            .map(str::to_owned)
            .collect();
        let coordinates = coordinates(map);
        let is_nearest = !coordinates.is_empty();
        let default = if is_nearest { Choice::Nearest } else { Choice::Order(order.clone()) };
        let map_place = format!("geoip map {map_name}");
        self.tell_map(map, &map_place, is_nearest);
        let places = Places::read(map.get("map"), default, &map_place, self.report);
        let nets = self.nets(map, &map_place);
        let mut resource = Resource {
            node,
            scope,
            coordinates,
            skips_first: skips(node, usize::MAX) > 0,
            made: HashMap::new(),
            // The profile under `nets` is called so.
            names: HashSet::from(["map".to_owned()]),
            chosen: Vec::new(),
        };
        if resource.skips_first {
            self.report
                .same(wanted.place, "skip_first: the first datacenter of each order is left out");
        }
        self.report.same(
            wanted.place,
            "geoip → geographic profiles over priority ones, one for each order of datacenters",
        );
        if nets.is_empty() {
            return self.by_place(&mut resource, &places, wanted);
        }
        let inner = format!("_map.{}", wanted.name.trim_start_matches("*."));
        let place = format!("{} (map)", wanted.place);
        let below = Wanted { name: &inner, place: &place, depth: wanted.depth + 1 };
        // Profiles of datacenters belong to the outer one, whichever asks for them first.
        let mut profile = profile(wanted, Method::Subnet);
        for (choice, networks) in nets {
            let Some(mut endpoint) = self.choice(&mut resource, &choice, wanted) else { continue };
            endpoint.subnets = networks;
            join(&mut profile.endpoints, endpoint);
        }
        let mut rest = self.by_place_in(&mut resource, &places, &below, wanted)?;
        self.complete(&mut rest);
        let min = MinChildren { any: 1, v4: 0, v6: 0 };
        let mut everybody = Endpoint::new(
            ident("everybody-else", &mut resource.names),
            Target::Profile { name: inner.clone(), min },
        );
        everybody.weight = None;
        profile.endpoints.push(everybody);
        self.profiles.push(rest);
        self.report.same(&map_place, "nets → method = \"subnet\", over the map for everybody else");
        Some(profile)
    }

    fn by_place(
        &mut self,
        resource: &mut Resource<'_>,
        places: &Places,
        wanted: &Wanted<'_>,
    ) -> Option<Profile> {
        self.by_place_in(resource, places, wanted, wanted)
    }

    /// The profile `own` that chooses by place; what it leads to is named after `outer`.
    fn by_place_in(
        &mut self,
        resource: &mut Resource<'_>,
        places: &Places,
        own: &Wanted<'_>,
        outer: &Wanted<'_>,
    ) -> Option<Profile> {
        let differs = places.narrower.iter().any(|it| it.0 != places.default);
        if !differs {
            let mut profile = self.chosen_profile(resource, &places.default, outer)?;
            (profile.name, profile.from) = (own.name.to_owned(), own.place.to_owned());
            return Some(profile);
        }
        let mut profile = profile(own, Method::Geographic);
        profile.geo_failover = false;
        let mut world = vec!["WORLD".to_owned()];
        for (choice, codes) in &places.narrower {
            if *choice == places.default {
                world.extend(codes.iter().cloned());
                continue;
            }
            let Some(mut endpoint) = self.choice(resource, choice, outer) else { continue };
            endpoint.geo = codes.clone();
            join(&mut profile.endpoints, endpoint);
        }
        if let Some(mut endpoint) = self.choice(resource, &places.default, outer) {
            endpoint.geo = world;
            join(&mut profile.endpoints, endpoint);
        }
        self.report.differs(
            own.place,
            "where clients are",
            "the database is not named in what is written",
            "set geo.database to a database of MaxMind's format; [[client_network]] for private networks",
        );
        Some(profile)
    }

    /// An endpoint for an order of datacenters, or the nearest: a datacenter itself, or a profile over several.
    fn choice(
        &mut self,
        resource: &mut Resource<'_>,
        choice: &Choice,
        wanted: &Wanted<'_>,
    ) -> Option<Endpoint> {
        if let Some((_, known)) = resource.chosen.iter().find(|it| it.0 == *choice) {
            return Some(known.clone());
        }
        let mut profile = self.chosen_profile(resource, choice, wanted)?;
        let endpoint = match &profile.endpoints[..] {
            [only] => {
                let mut endpoint = only.clone();
                endpoint.priority = None;
                endpoint
            }
            _ => {
                let label = ident(&label(choice), &mut resource.names);
                let name = format!("_{label}.{}", wanted.name.trim_start_matches("*."));
                profile.name.clone_from(&name);
                profile.from = format!("{} ({label})", wanted.place);
                self.complete(&mut profile);
                self.profiles.push(profile);
                let min = MinChildren { any: 1, v4: 0, v6: 0 };
                Endpoint::new(label, Target::Profile { name, min })
            }
        };
        resource.chosen.push((choice.clone(), endpoint.clone()));
        Some(endpoint)
    }

    fn chosen_profile(
        &mut self,
        resource: &mut Resource<'_>,
        choice: &Choice,
        wanted: &Wanted<'_>,
    ) -> Option<Profile> {
        let (method, names) = match choice {
            Choice::Order(order) => {
                let skip = usize::from(resource.skips_first && order.len() > 1);
                (Method::Priority, order.iter().skip(skip).cloned().collect())
            }
            Choice::Nearest => {
                let mut names: Vec<String> = resource.coordinates.keys().cloned().collect();
                names.sort();
                if resource.skips_first {
                    self.report.unsupported(
                        wanted.place,
                        "skip_first with the nearest datacenter",
                        "Farol's performance has no second choice; the nearest serves",
                        "",
                    );
                }
                (Method::Performance, names)
            }
        };
        let mut profile = profile(wanted, method);
        for name in names {
            let known = resource.made.get(&name).cloned();
            let made = match known {
                Some(known) => known,
                None => {
                    let made = self.datacenter(
                        resource.node,
                        &name,
                        &resource.scope,
                        wanted,
                        &mut resource.names,
                    );
                    self.locate(resource, &name, made.as_ref());
                    resource.made.insert(name, made.clone());
                    made
                }
            };
            profile.endpoints.extend(made);
        }
        if method == Method::Priority {
            in_order(&mut profile.endpoints);
        }
        (!profile.endpoints.is_empty()).then_some(profile)
    }

    fn locate(&mut self, resource: &Resource<'_>, name: &str, made: Option<&Endpoint>) {
        let place = resource.coordinates.get(name).copied();
        let Some(site) = made.and_then(|it| it.site.clone()).filter(|_| place.is_some()) else {
            return;
        };
        self.sites.insert(site.clone(), Site { name: site, place, region: None });
    }

    fn tell_map(&mut self, map: &Node, place: &str, is_nearest: bool) {
        let text = |key: &str| map.get(key).and_then(Node::text);
        if let Some(database) = text("geoip2_db") {
            self.report.differs(
                place,
                format!("geoip2_db {database}"),
                "Farol has one database for all profiles, and reads it when it starts",
                "set it under [geo]: database = \"…\"",
            );
        }
        if text("ignore_ecs") == Some("true") {
            self.report.differs(
                place,
                "ignore_ecs",
                "Farol believes resolvers for all profiles or for none",
                "set ecs.trusted = [] for none",
            );
        }
        if is_nearest {
            self.report
                .same(place, "auto_dc_coords → method = \"performance\" by the sites' locations");
            self.report.differs(
                place,
                "clients whose location is not known",
                "gdnsd takes the order of datacenters; Farol shares by weight, or takes a default place",
                "set geo.location_default",
            );
            let limit = text("auto_dc_limit").unwrap_or("3");
            self.report.differs(
                place,
                format!("auto_dc_limit {limit}"),
                "Farol goes on to the next nearest, however many there are",
                "",
            );
        }
        let known = [
            "geoip2_db",
            "datacenters",
            "ignore_ecs",
            "nets",
            "map",
            "auto_dc_coords",
            "auto_dc_limit",
        ];
        for (key, _) in
            map.hash().into_iter().flatten().filter(|it| !known.contains(&it.0.as_str()))
        {
            self.report.unsupported(place, format!("`{key}`"), "this import doesn't know it", "");
        }
    }

    /// Networks by who serves them, from the map or from a file that it names.
    fn nets(&mut self, map: &Node, place: &str) -> Vec<(Choice, Vec<String>)> {
        let mut nets: Vec<(Choice, Vec<String>)> = Vec::new();
        let Some(written) = map.get("nets") else { return nets };
        let included;
        let pairs = match &written.value {
            Value::Text(file) => {
                let path = self.directory.join("geoip").join(file);
                let read = (self.read)(&path).ok().and_then(|it| it.into_iter().next());
                let parsed = read.map(|it| vscf::parse(&it, self.read));
                let Some(Ok(node)) = parsed else {
                    self.report.unsupported(
                        place,
                        format!("nets in the file {}", path.display()),
                        "it can't be read",
                        "write its networks as subnets, or put the file there and import again",
                    );
                    return nets;
                };
                included = node;
                included.hash().unwrap_or_default()
            }
            _ => written.hash().unwrap_or_default(),
        };
        for (network, node) in pairs {
            let parsed = parse_network(network);
            let order: Vec<String> = node.texts().into_iter().map(str::to_owned).collect();
            if parsed.is_err() || order.is_empty() {
                self.report.unsupported(
                    place,
                    format!("the network {network}"),
                    "it is no network, or has no datacenter",
                    "",
                );
                continue;
            }
            let choice = Choice::Order(order);
            match nets.iter_mut().find(|it| it.0 == choice) {
                Some(known) => known.1.push(network.to_ascii_lowercase()),
                None => nets.push((choice, vec![network.to_ascii_lowercase()])),
            }
        }
        nets
    }
}

/// Adds an endpoint. Orders of which the same datacenter is left are one.
fn join(endpoints: &mut Vec<Endpoint>, endpoint: Endpoint) {
    match endpoints.iter_mut().find(|it| it.name == endpoint.name) {
        Some(known) => {
            known.geo.extend(endpoint.geo);
            known.subnets.extend(endpoint.subnets);
        }
        None => endpoints.push(endpoint),
    }
}

fn label(choice: &Choice) -> String {
    match choice {
        Choice::Nearest => "nearest".to_owned(),
        Choice::Order(order) => order.join("-"),
    }
}

fn coordinates(map: &Node) -> HashMap<String, (f64, f64)> {
    let written = map.get("auto_dc_coords").and_then(Node::hash).into_iter().flatten();
    let read = |node: &Node| match node.texts()[..] {
        [north, east] => {
            let (north, east): (f64, f64) = (north.parse().ok()?, east.parse().ok()?);
            (north.abs() <= 90.0 && east.abs() <= 180.0).then_some((north, east))
        }
        _ => None,
    };
    written.filter_map(|(name, node)| Some((name.clone(), read(node)?))).collect()
}
