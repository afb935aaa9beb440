//! The tree of places in a map of gdnsd's geoip: continents, countries and subdivisions with orders of datacenters.

use super::vscf::{Node, Value};
use crate::import::report::Report;
use crate::model::GeoCode;

/// Who serves a place: datacenters in an order, or the nearest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    Order(Vec<String>),
    Nearest,
}

/// Places by who serves them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Places {
    /// Everything that is not in `narrower`.
    pub(super) default: Choice,
    pub(super) narrower: Vec<(Choice, Vec<String>)>,
}

impl Places {
    /// Reads the tree; `default` is what holds where it says nothing.
    pub(super) fn read(
        map: Option<&Node>,
        default: Choice,
        place: &str,
        report: &mut Report,
    ) -> Self {
        let mut reading = Reading { narrower: Vec::new(), place, report };
        let own = map.and_then(|it| it.get("default")).and_then(|it| reading.choice(it, "default"));
        let default = own.unwrap_or(default);
        for (continent, node) in map.and_then(Node::hash).into_iter().flatten() {
            if continent != "default" {
                reading.continent(continent, node);
            }
        }
        let mut narrower = reading.narrower;
        narrower.sort_by_key(|(choice, _)| *choice != default);
        Self { default, narrower }
    }
}

struct Reading<'r> {
    narrower: Vec<(Choice, Vec<String>)>,
    place: &'r str,
    report: &'r mut Report,
}

impl Reading<'_> {
    fn choice(&mut self, node: &Node, of: &str) -> Option<Choice> {
        match &node.value {
            Value::Text(text) if text == "auto" => Some(Choice::Nearest),
            Value::Text(_) | Value::Array(_) if !node.texts().is_empty() => {
                Some(Choice::Order(node.texts().into_iter().map(str::to_owned).collect()))
            }
            _ => {
                self.report.unsupported(
                    self.place,
                    format!("{of} with no datacenter"),
                    "Farol has no place in a profile that is answered with nothing; the next wider place serves",
                    "",
                );
                None
            }
        }
    }

    /// Codes that a choice is for.
    fn add(&mut self, codes: &[&str], node: &Node, of: &str) {
        let Some(choice) = self.choice(node, of) else { return };
        let mut good = Vec::new();
        for code in codes {
            match code.parse::<GeoCode>() {
                Ok(code) => good.push(code.to_string()),
                Err(error) => self.report.unsupported(
                    self.place,
                    format!("the place {of}"),
                    "Farol knows groupings, countries and subdivisions, no cities",
                    error.to_string(),
                ),
            }
        }
        match self.narrower.iter_mut().find(|it| it.0 == choice) {
            Some(known) => known.1.extend(good),
            None if !good.is_empty() => self.narrower.push((choice, good)),
            None => {}
        }
    }

    fn continent(&mut self, name: &str, node: &Node) {
        let codes: &[&str] = match name {
            "AF" => &["GEO-AF"],
            "AN" => &["GEO-AN"],
            "AS" => &["GEO-AS", "GEO-ME"],
            "EU" => &["GEO-EU"],
            "NA" => &["GEO-NA"],
            "OC" => &["GEO-AP"],
            "SA" => &["GEO-SA"],
            _ => &[],
        };
        if codes.is_empty() {
            self.report.unsupported(
                self.place,
                format!("the place {name}"),
                "it is no continent of MaxMind's",
                "",
            );
            return;
        }
        self.report.differs(
            self.place,
            "continents → groupings (AS → GEO-AS and GEO-ME, OC → GEO-AP)",
            "a few countries lie elsewhere: docs/BEHAVIOUR.md has the table",
            "give such countries a code of their own",
        );
        let Some(below) = node.hash() else {
            self.add(codes, node, name);
            return;
        };
        for (country, node) in below {
            match (country.as_str(), node.hash()) {
                ("default", _) => self.add(codes, node, name),
                (country, None) => self.add(&[country], node, country),
                (country, Some(below)) => self.country(country, below),
            }
        }
    }

    fn country(&mut self, country: &str, below: &[(String, Node)]) {
        for (name, node) in below {
            let code = format!("{country}-{name}");
            match (name.as_str(), node.hash()) {
                ("default", _) => self.add(&[country], node, country),
                (_, None) => self.add(&[&code], node, &code),
                (_, Some(cities)) => {
                    for (name, node) in cities {
                        if name == "default" {
                            self.add(&[&code], node, &code);
                        } else {
                            self.report.unsupported(
                                self.place,
                                format!("the place {code}/{name}"),
                                "Farol knows groupings, countries and subdivisions, no cities",
                                "write [[client_network]] for networks there",
                            );
                        }
                    }
                }
            }
        }
    }
}
