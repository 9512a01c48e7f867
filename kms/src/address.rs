//! Addresses as people write them: host and port, the port left out where there is a usual one.

use anyhow::Context;
use certs::AltName;

use crate::node::LINK_PORT;

/// Host and port of `host:port`, `[v6]:port` or a host alone, which has the usual port.
pub(crate) fn split(text: &str, usual_port: u16) -> anyhow::Result<(String, u16)> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None if text.matches(':').count() > 1 => (text, None),
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = port.map_or(Ok(usual_port), str::parse).ok().filter(|port| *port != 0);
    let host: AltName = host.parse().with_context(|| format!("reading the address \"{text}\""))?;
    let port = port.with_context(|| {
        format!("the address \"{text}\" has no port from 1 to 65535. hint: 192.0.2.7:{usual_port} or kms.example.test:{usual_port}")
    })?;
    Ok((host.to_string(), port))
}

/// Host and port as one text.
pub(crate) fn join(host: &str, port: u16) -> String {
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

/// An address that clients or other nodes connect to, for a command line: an IP address or a host name.
pub(crate) fn parse_host(text: &str) -> Result<AltName, String> {
    let name: AltName = text.parse().map_err(|error: certs::Error| error.to_string())?;
    match name {
        AltName::Ip(address) if address.is_unspecified() => {
            Err(format!("{address} is no address that anyone can connect to"))
        }
        name => Ok(name),
    }
}

/// Where other nodes reach a node's link, for a command line: `host` or `host:port`.
pub(crate) fn parse_link(text: &str) -> Result<(AltName, u16), String> {
    let (host, port) = split(text, LINK_PORT).map_err(|error| format!("{error:#}"))?;
    match parse_host(&host)? {
        AltName::Dns(name) if name.starts_with("*.") => Err(format!("{name} is no name of one machine")),
        host => Ok((host, port)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_lack_its_port() {
        let split = |text| split(text, 5696);
        assert_eq!(split("192.0.2.7").unwrap(), ("192.0.2.7".into(), 5696));
        assert_eq!(split("kms.example.test:15696").unwrap(), ("kms.example.test".into(), 15696));
        assert_eq!(split("[2001:db8::7]:5697").unwrap(), ("2001:db8::7".into(), 5697));
        assert_eq!(split("2001:db8::7").unwrap(), ("2001:db8::7".into(), 5696));
        for bad in ["", ":5696", "host:0", "host:70000", "a b:1"] {
            assert!(split(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_link_is_at_an_address_of_one_machine() {
        assert_eq!(parse_link("192.0.2.7").unwrap(), (AltName::Ip([192, 0, 2, 7].into()), 5697));
        assert_eq!(parse_link("n1.example.test:7").unwrap(), (AltName::Dns("n1.example.test".into()), 7));
        for bad in ["0.0.0.0", "[::]:5697", "*.example.test", ""] {
            assert!(parse_link(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_address_of_version_6_stands_in_brackets() {
        assert_eq!((join("::1", 7), join("127.0.0.1", 7)), ("[::1]:7".into(), "127.0.0.1:7".into()));
    }
}
