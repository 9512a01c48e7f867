//! PROXY protocol, version 2: tells a node whose connection it is (<https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt>).

use std::net::{IpAddr, SocketAddr};

/// No text protocol begins so.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// Version 2, and a connection on somebody's behalf.
const VERSION_AND_PROXY: u8 = 0x21;

/// TCP over IPv4, and over IPv6.
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;

/// The header for a client that connected to `local`.
pub(super) fn encode(client: SocketAddr, local: SocketAddr) -> Vec<u8> {
    let mut header = SIGNATURE.to_vec();
    header.push(VERSION_AND_PROXY);
    match (client.ip().to_canonical(), local.ip().to_canonical()) {
        (IpAddr::V4(client), IpAddr::V4(local)) => {
            header.extend([TCP4, 0, 12]);
            header.extend(client.octets());
            header.extend(local.octets());
        }
        (client, local) => {
            header.extend([TCP6, 0, 36]);
            header.extend(in_v6(client));
            header.extend(in_v6(local));
        }
    }
    header.extend(client.port().to_be_bytes());
    header.extend(local.port().to_be_bytes());
    header
}

fn in_v6(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_client_is_named_in_28_bytes() {
        let header = encode("192.0.2.7:50000".parse().unwrap(), "192.0.2.1:5696".parse().unwrap());
        let expected = [
            b"\r\n\r\n\0\r\nQUIT\n".as_slice(),
            &[0x21, 0x11, 0, 12, 192, 0, 2, 7, 192, 0, 2, 1, 0xc3, 0x50, 0x16, 0x40],
        ];
        assert_eq!(header, expected.concat());
    }

    #[test]
    fn an_ipv6_client_is_named_in_52_bytes_and_a_mapped_one_as_ipv4() {
        let v6 = encode("[2001:db8::7]:1".parse().unwrap(), "[2001:db8::1]:2".parse().unwrap());
        assert_eq!((v6.len(), v6[13], v6[15]), (52, 0x21, 36));
        let mapped = encode("[::ffff:192.0.2.7]:1".parse().unwrap(), "[::ffff:192.0.2.1]:2".parse().unwrap());
        assert_eq!((mapped.len(), mapped[13]), (28, 0x11));
    }
}
