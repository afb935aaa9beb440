use std::sync::Arc;

use crate::model::Geography;
use crate::settings::{
    Admin, Ecs, Encrypted, FleetFile, Metrics, Probe, RateLimit, Resolver, Server, Settings, State,
};

/// The settings in force that belong to no zone, site or profile. Some are read at the start only.
#[derive(Clone, Debug)]
pub struct Running {
    server: Server,
    admin: Admin,
    metrics: Metrics,
    probe: Probe,
    state: State,
    ecs: Ecs,
    rate_limit: Option<RateLimit>,
    resolver: Resolver,
    fleet: Option<FleetFile>,
    geography: Arc<Geography>,
}

/// Keys whose values are others.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Differing {
    /// The new values are in force.
    pub(super) taken: Vec<&'static str>,
    /// The new values count only after a restart.
    pub(super) needs_restart: Vec<&'static str>,
}

impl Running {
    /// The settings that the daemon starts with.
    pub fn of(settings: &Settings) -> Self {
        Self {
            server: settings.server.clone(),
            admin: settings.admin.clone(),
            metrics: settings.metrics.clone(),
            probe: settings.probe.clone(),
            state: settings.state.clone(),
            ecs: settings.ecs.clone(),
            rate_limit: settings.rate_limit.clone(),
            resolver: settings.resolver.clone(),
            fleet: settings.fleet.clone(),
            geography: settings.model.geography.clone(),
        }
    }

    /// Who is asked for the addresses of names.
    pub fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// Goes on with these settings, as far as they are not read at the start only. Tells what differs.
    pub(super) fn take(&mut self, settings: &Settings) -> Differing {
        // Every field is named here, so that none is forgotten.
        let Server {
            listen,
            workers,
            version,
            id,
            udp_size,
            tcp_max_connections,
            tcp_idle_timeout,
            cookie_secrets,
            require_server_cookie,
            encrypted,
        } = &mut self.server;
        let Encrypted { tls, https, quic, https_path, identity, max_connections } = encrypted;
        let Admin {
            listen: admin_listen,
            protect_metrics,
            rate_limit: admin_rate,
            rate_burst,
            tls: admin_tls,
            tokens,
            client_certificates,
        } = &mut self.admin;
        let Metrics { per_endpoint } = &mut self.metrics;
        let Probe { max_concurrent } = &mut self.probe;
        let State { dir, max_age } = &self.state;
        let Ecs { trusted } = &mut self.ecs;
        let Settings {
            server, admin, metrics, probe, state, ecs, rate_limit, resolver, fleet, ..
        } = settings;
        let geography = std::mem::replace(&mut self.geography, settings.model.geography.clone());
        let same_networks = geography.networks == self.geography.networks;
        let taken = [
            ("server.listen", replace(listen, &server.listen)),
            ("server.listen_tls", replace(tls, &server.encrypted.tls)),
            ("server.listen_https", replace(https, &server.encrypted.https)),
            ("server.listen_quic", replace(quic, &server.encrypted.quic)),
            ("server.https_path", replace(https_path, &server.encrypted.https_path)),
            ("server.tls", replace(identity, &server.encrypted.identity)),
            ("server.version", replace(version, &server.version)),
            ("server.id", replace(id, &server.id)),
            ("server.udp_size", replace(udp_size, &server.udp_size)),
            ("server.tcp_idle_timeout", replace(tcp_idle_timeout, &server.tcp_idle_timeout)),
            ("server.cookie_secrets", replace(cookie_secrets, &server.cookie_secrets)),
            (
                "server.require_server_cookie",
                replace(require_server_cookie, &server.require_server_cookie),
            ),
            ("admin.listen", replace(admin_listen, &admin.listen)),
            ("admin.protect_metrics", replace(protect_metrics, &admin.protect_metrics)),
            ("admin.rate_limit", replace(admin_rate, &admin.rate_limit)),
            ("admin.rate_burst", replace(rate_burst, &admin.rate_burst)),
            ("admin.tls", replace(admin_tls, &admin.tls)),
            ("admin.token", replace(tokens, &admin.tokens)),
            ("admin.client_certificate", replace(client_certificates, &admin.client_certificates)),
            ("metrics.per_endpoint", replace(per_endpoint, &metrics.per_endpoint)),
            ("ecs.trusted", replace(trusted, &ecs.trusted)),
            ("rate_limit", replace(&mut self.rate_limit, rate_limit)),
            ("resolver", replace(&mut self.resolver, resolver)),
            ("fleet", replace(&mut self.fleet, fleet)),
            ("client_network", !same_networks),
            (
                "geo",
                geography.files() != self.geography.files()
                    || geography.location_default != self.geography.location_default,
            ),
            ("probe.max_concurrent_probes", replace(max_concurrent, &probe.max_concurrent)),
        ];
        let needs_restart = [
            ("server.workers", *workers != server.workers),
            ("server.tcp_max_connections", *tcp_max_connections != server.tcp_max_connections),
            ("server.tls.max_connections", *max_connections != server.encrypted.max_connections),
            ("state.dir", *dir != state.dir),
            ("state.max_age", *max_age != state.max_age),
        ];
        Differing { taken: differing(&taken), needs_restart: differing(&needs_restart) }
    }
}

/// Puts a value in the place of another; whether they differ.
fn replace<T: Clone + PartialEq>(old: &mut T, new: &T) -> bool {
    let differs = old != new;
    old.clone_from(new);
    differs
}

fn differing(keys: &[(&'static str, bool)]) -> Vec<&'static str> {
    keys.iter().filter(|(_, differs)| *differs).map(|(key, _)| *key).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::settings::load_text;

    #[test]
    fn each_key_is_told_once_if_it_is_taken_and_always_if_it_waits_for_a_restart() {
        const ZONE: &str = "[[zone]]\nname = 'a.'\nnameservers = 'ns.b.'\n";
        const TOKEN: &str = "[[admin.token]]\nname = 'a'\nrole = 'viewer'\n\
            sha256 = '6e1d3a8f50b7c2949d0e4f6a8b1c3d5e7f90a2b4c6d8e0f1a3b5c7d9e1f20415'";
        const CERTIFICATE: &str =
            "[[admin.client_certificate]]\nname = 'a'\nrole = 'viewer'\nsan = 'DNS:a'";
        let read =
            |text: &str| load_text(Path::new("farol.toml"), &format!("{ZONE}{text}")).unwrap();
        let first = read("");
        for (key, is_taken, text) in [
            ("server.listen", true, "[server]\nlisten = '127.0.0.1:5353'"),
            ("server.https_path", true, "[server]\nhttps_path = '/a'"),
            ("server.version", true, "[server]\nversion = 'a'"),
            ("server.id", true, "[server]\nid = 'a'"),
            ("server.udp_size", true, "[server]\nudp_size = 512"),
            ("server.tcp_idle_timeout", true, "[server]\ntcp_idle_timeout = '7s'"),
            (
                "server.cookie_secrets",
                true,
                "[server]\ncookie_secrets = '0123456789abcdef0123456789ABCDEF'",
            ),
            ("server.require_server_cookie", true, "[server]\nrequire_server_cookie = true"),
            ("admin.listen", true, "[admin]\nlisten = '127.0.0.1:1234'"),
            ("admin.protect_metrics", true, "[admin]\nprotect_metrics = true"),
            ("admin.rate_limit", true, "[admin]\nrate_limit = 7"),
            ("admin.rate_burst", true, "[admin]\nrate_burst = 7"),
            ("admin.token", true, TOKEN),
            ("admin.client_certificate", true, CERTIFICATE),
            ("metrics.per_endpoint", true, "[metrics]\nper_endpoint = false"),
            ("rate_limit", true, "[rate_limit]\nresponses_per_second = 7"),
            ("resolver", true, "[resolver]\nservers = '192.0.2.53'"),
            ("client_network", true, "[[client_network]]\ncidr = '10.0.0.0/8'\nregion = 'US'"),
            ("ecs.trusted", true, "[ecs]\ntrusted = []"),
            ("ecs.trusted", true, "[ecs]\ntrusted = ['10.0.0.0/8', '2001:db8::/32']"),
            ("geo", true, "[geo]\ndatabase = '/nowhere.mmdb'"),
            ("geo", true, "[geo]\nlocation_default = { latitude = 1, longitude = 2 }"),
            ("probe.max_concurrent_probes", true, "[probe]\nmax_concurrent_probes = 7"),
            ("server.workers", false, "[server]\nworkers = 77"),
            ("server.tcp_max_connections", false, "[server]\ntcp_max_connections = 7"),
            ("server.tls.max_connections", false, "[server.tls]\nmax_connections = 7"),
            ("state.dir", false, "[state]\ndir = '/elsewhere'"),
            ("state.max_age", false, "[state]\nmax_age = '7s'"),
        ] {
            let mut running = Running::of(&first);
            let other = read(text);
            let (told, nothing) = (vec![key], Vec::new());
            let (taken, needs_restart) = if is_taken { (told, nothing) } else { (nothing, told) };
            let waiting = Differing { taken: Vec::new(), needs_restart: needs_restart.clone() };
            assert_eq!(running.take(&first), Differing::default());
            assert_eq!(running.take(&other), Differing { taken, needs_restart });
            assert_eq!(running.take(&other), waiting, "{key}");
        }
    }
}
