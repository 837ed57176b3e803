//! Where metrics are served: nowhere, on a loopback address, or on a Unix socket. Never to the network.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// An address for `metrics_listen`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetricsAddress {
    /// Metrics are only served over the control socket.
    None,
    /// A loopback address.
    Tcp(SocketAddr),
    /// The path of a Unix socket, absolute.
    Unix(PathBuf),
}

impl MetricsAddress {
    /// What it can be.
    pub(super) const FORM: &str = "none, a loopback address such as 127.0.0.1:9184, or unix:/path";

    /// Reads one.
    ///
    /// # Errors
    /// What is wrong, as a sentence about "it".
    pub(super) fn of(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::None);
        }
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.starts_with('/') && path.len() > 1 {
                Ok(Self::Unix(PathBuf::from(path)))
            } else {
                Err("the path of its socket is not absolute".to_owned())
            };
        }
        match text.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_loopback() => Ok(Self::Tcp(address)),
            Ok(_) => Err("it is not an address of this machine alone".to_owned()),
            Err(_) => Err(format!("it can be {}", Self::FORM)),
        }
    }

    pub(super) fn check(text: &str) -> Result<(), String> {
        Self::of(text).map(drop)
    }
}

impl fmt::Display for MetricsAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_can_be_named() {
        assert_eq!(MetricsAddress::of("none"), Ok(MetricsAddress::None));
        assert_eq!(MetricsAddress::of("[::1]:9184"), Ok(MetricsAddress::Tcp("[::1]:9184".parse().unwrap())));
        assert_eq!(MetricsAddress::of("unix:/run/m"), Ok(MetricsAddress::Unix("/run/m".into())));
        for bad in
            ["", "9184", "localhost:1", "0.0.0.0:1", "10.1.2.3:9", "[::]:1", "unix:", "unix:m", "unix:/"]
        {
            assert!(MetricsAddress::of(bad).is_err(), "{bad}");
        }
    }
}
