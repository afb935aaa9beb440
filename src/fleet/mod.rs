//! The companion: keeps what is behind the traffic manager in step. It sees every site's cluster, shows how that differs from
//! what is wanted, brings it there and keeps it there.

pub mod object;
pub mod render;
