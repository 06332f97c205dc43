//! A host's address of any kind, or its name where only that was printed, in 17 bytes.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::host_name::HostName;

/// An address as it stands in a header, or what was printed in its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Address {
    /// None was read.
    #[default]
    None,
    /// A 48-bit link address.
    Ether([u8; 6]),
    /// IPv4.
    V4(Ipv4Addr),
    /// IPv6.
    V6(Ipv6Addr),
    /// The name that was printed instead of an IP address. It is joined with a number only by evidence.
    Name(HostName),
}

impl Address {
    /// The host a printed word stands for: a number, or else its name; `None` where no host is that long.
    pub fn printed(word: &str, v6: bool) -> Self {
        match word.parse::<IpAddr>() {
            Ok(ip) => Self::from(ip),
            Err(_) if word.is_empty() || word.len() > super::host_name::HOST_NAME_MAX_BYTES => Self::None,
            Err(_) => Self::Name(HostName::new(word, v6)),
        }
    }

    /// Whether it is an IPv6 address, or the name printed of one.
    pub fn is_v6(self) -> bool {
        match self {
            Self::V6(_) => true,
            Self::Name(name) => name.is_v6(),
            Self::None | Self::Ether(_) | Self::V4(_) => false,
        }
    }

    /// Whether it is an IPv4 address, or the name printed of one.
    pub fn is_v4(self) -> bool {
        self.is_host() && !self.is_v6()
    }

    /// Whether it stands for a host on the network layer, by number or by name.
    pub fn is_host(self) -> bool {
        matches!(self, Self::V4(_) | Self::V6(_) | Self::Name(_))
    }

    /// Whether another address is of the same kind, so that the two can be ordered.
    pub fn same_kind(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// The IP address, if it is one. Of a name it is the number in front of a zone (`fe80::1%eth0`, RFC 4007 §11).
    pub fn ip(self) -> Option<IpAddr> {
        match self {
            Self::V4(ip) => Some(IpAddr::V4(ip)),
            Self::V6(ip) => Some(IpAddr::V6(ip)),
            Self::Name(name) => name.text()?.split_once('%')?.0.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            Self::None | Self::Ether(_) => None,
        }
    }

    /// The name, if it is one.
    pub fn name(self) -> Option<HostName> {
        match self {
            Self::Name(name) => Some(name),
            _ => None,
        }
    }

    /// The address as filters write it: a name in quotation marks, whatever it is made of.
    pub fn literal(self) -> Literal {
        Literal(self)
    }

    /// The address with a port, as `ADDRESS:PORT` or `[IPV6]:PORT`.
    pub fn with_port(self, port: u16) -> String {
        match self {
            Self::V6(_) => format!("[{self}]:{port}"),
            _ => format!("{self}:{port}"),
        }
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => Self::V4(ip),
            IpAddr::V6(ip) => Self::V6(ip),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.pad("–"),
            Self::V4(ip) => ip.fmt(f),
            Self::V6(ip) => ip.fmt(f),
            Self::Name(name) => name.fmt(f),
            Self::Ether([a, b, c, d, e, g]) => write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}"),
        }
    }
}

/// An address as it is written in a filter.
#[derive(Clone, Copy, Debug)]
pub struct Literal(Address);

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Address::Name(name) => f.write_str(&crate::text::quoted(&name.label())),
            address => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_to_its_size() {
        assert_eq!(size_of::<Address>(), 17);
    }

    #[test]
    fn what_is_no_number_is_a_name() {
        for name in ["resolver1", "_gateway", "192.0.2.###", "<client>", "10.dab-sti-c", "192.0.2"] {
            let address = Address::printed(name, false);
            assert_eq!((address.to_string().as_str(), address.ip()), (name, None));
            assert_eq!(address.literal().to_string(), format!("\"{name}\""));
        }
        let zone = Address::printed("fe80::1%eth0", true);
        assert!(zone.name().is_some() && zone.ip() == "fe80::1".parse().ok() && zone.is_v6());
        assert_eq!(Address::printed("192.0.2.1", true), Address::V4([192, 0, 2, 1].into()));
        assert_eq!(Address::printed(&"x".repeat(1000), false), Address::None);
    }
}
