//! The names' servers as they are: hickory-resolver, without a cache of its own, since every answer is kept here.

use std::fmt::Display;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError, NoRecords};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{self, RData};
use hickory_resolver::system_conf::read_system_conf;

use super::answer::Answer;
use super::task::World;
use crate::model::{Family, Name};
use crate::settings;

/// How often one server is asked.
const ATTEMPTS: usize = 1;

/// Asks the servers that settings name, or the system's.
pub(super) struct Network(Result<TokioResolver, String>);

impl Network {
    pub(super) fn new(servers: &settings::Resolver) -> Self {
        Self(resolver(servers).map_err(|error| format!("no server to ask: {error}")))
    }
}

fn resolver(settings: &settings::Resolver) -> Result<TokioResolver, NetError> {
    let servers = if settings.servers.is_empty() {
        read_system_conf()?.0.name_servers().to_vec()
    } else {
        let server = |it: &std::net::SocketAddr| {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut to| {
                to.port = it.port();
                to
            });
            NameServerConfig::new(it.ip(), true, connections.into())
        };
        settings.servers.iter().map(server).collect()
    };
    let config = ResolverConfig::from_parts(None, Vec::new(), servers);
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    let options = builder.options_mut();
    options.timeout = settings.timeout;
    options.attempts = ATTEMPTS;
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.preserve_intermediates = true;
    builder.build()
}

impl World for Network {
    async fn look_up(&self, name: &Name, family: Family) -> Answer {
        let resolver = match &self.0 {
            Ok(resolver) => resolver,
            Err(why) => return Answer::Failed(why.clone()),
        };
        let name = match rr::Name::from_ascii(name.to_string()) {
            Ok(name) => name,
            Err(error) => return failed(&error),
        };
        let record_type = match family {
            Family::V4 => rr::RecordType::A,
            Family::V6 => rr::RecordType::AAAA,
        };
        match resolver.lookup(name, record_type).await {
            Ok(found) => {
                let ttl = found.answers().iter().map(|it| it.ttl).min();
                let address = |it: &rr::Record| match &it.data {
                    RData::A(it) => Some(it.0.into()),
                    RData::AAAA(it) => Some(it.0.into()),
                    _ => None,
                };
                let addresses: Vec<_> = found.answers().iter().filter_map(address).collect();
                if addresses.is_empty() {
                    Answer::NoData
                } else {
                    Answer::Found(addresses, ttl.unwrap_or_default())
                }
            }
            Err(error) => said(&error),
        }
    }
}

/// What an error says of the name.
fn said(error: &NetError) -> Answer {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(NoRecords { response_code, .. })) => {
            match *response_code {
                ResponseCode::NXDomain => Answer::NxDomain,
                ResponseCode::NoError => Answer::NoData,
                code => Answer::Failed(code.to_string()),
            }
        }
        NetError::Dns(DnsError::ResponseCode(code)) => Answer::Failed(code.to_string()),
        NetError::Timeout => Answer::Failed("timed out".to_owned()),
        other => failed(other),
    }
}

fn failed(error: &dyn Display) -> Answer {
    Answer::Failed(error.to_string())
}
