//! A host's address of any kind, or its name where only that was printed, in 18 bytes.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::host_name::HostName;
use super::site::Site;

/// An address as it stands in a header, or what was printed in its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
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
    /// A private IPv4 address of a site.
    V4At(Site, Ipv4Addr),
    /// A private IPv6 address of a site.
    V6At(Site, Ipv6Addr),
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
            Self::V6(_) | Self::V6At(..) => true,
            Self::Name(name) => name.is_v6(),
            Self::None | Self::Ether(_) | Self::V4(_) | Self::V4At(..) => false,
        }
    }

    /// Whether it is an IPv4 address, or the name printed of one.
    pub fn is_v4(self) -> bool {
        self.is_host() && !self.is_v6()
    }

    /// Whether it stands for a host on the network layer, by number or by name.
    pub fn is_host(self) -> bool {
        !matches!(self, Self::None | Self::Ether(_))
    }

    /// Whether another address is of the same kind, so that the two can be ordered.
    pub fn same_kind(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// The IP address, if it is one. Of a name it is the number in front of a zone (`fe80::1%eth0`, RFC 4007 §11).
    pub fn ip(self) -> Option<IpAddr> {
        match self {
            Self::V4(ip) | Self::V4At(_, ip) => Some(IpAddr::V4(ip)),
            Self::V6(ip) | Self::V6At(_, ip) => Some(IpAddr::V6(ip)),
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

    /// The site it belongs to, where equal addresses of several sites are told apart.
    pub fn site(self) -> Site {
        match self {
            Self::V4At(site, _) | Self::V6At(site, _) => site,
            Self::Name(name) => name.site(),
            Self::None | Self::Ether(_) | Self::V4(_) | Self::V6(_) => Site::NONE,
        }
    }

    /// The same host as seen at a site: addresses that are used again in every network (RFC 1918, RFC 4193, RFC 6598,
    /// link-local, loopback) become those of the site, all others are the same everywhere.
    #[must_use]
    pub fn at(self, site: Site) -> Self {
        if site == Site::NONE {
            return self;
        }
        match self {
            Self::V4(ip) | Self::V4At(_, ip) => {
                let [first, second, ..] = ip.octets();
                let shared = first == 100 && second & 0xc0 == 64;
                let private = ip.is_private() || ip.is_link_local() || ip.is_loopback() || shared;
                if private { Self::V4At(site, ip) } else { Self::V4(ip) }
            }
            Self::V6(ip) | Self::V6At(_, ip) => {
                let private = ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_loopback();
                if private { Self::V6At(site, ip) } else { Self::V6(ip) }
            }
            Self::Name(name) => Self::Name(name.at(site)),
            Self::None | Self::Ether(_) => self,
        }
    }

    /// The same without its site.
    #[must_use]
    pub fn bare(self) -> Self {
        match self {
            Self::V4At(_, ip) => Self::V4(ip),
            Self::V6At(_, ip) => Self::V6(ip),
            Self::Name(name) => Self::Name(name.without_site()),
            Self::None | Self::Ether(_) | Self::V4(_) | Self::V6(_) => self,
        }
    }

    /// The address as filters write it: a name in quotation marks, whatever it is made of.
    pub fn literal(self) -> Literal {
        Literal(self)
    }

    /// What a filter says beside the address: the site, where it has one.
    pub fn site_term(self) -> String {
        self.site()
            .name()
            .map_or_else(String::new, |site| format!(" && site == {}", crate::text::quoted(site)))
    }

    /// The address with a port, as `ADDRESS:PORT` or `[IPV6]:PORT`.
    pub fn with_port(self, port: u16) -> String {
        match self {
            Self::V6(_) | Self::V6At(..) => format!("[{self}]:{port}"),
            _ => format!("{self}:{port}"),
        }
    }
}

/// One word for what most packets have, since every packet's addresses are looked up.
impl Hash for Address {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        const KIND_SHIFT: u32 = 56;
        const SITE_SHIFT: u32 = 48;
        let site = |site: Site| u64::from(site.number()) << SITE_SHIFT;
        match *self {
            Self::None => state.write_u64(0),
            Self::V4(ip) => state.write_u64(1 << KIND_SHIFT | u64::from(u32::from(ip))),
            Self::V4At(at, ip) => state.write_u64(2 << KIND_SHIFT | site(at) | u64::from(u32::from(ip))),
            Self::V6(ip) => {
                state.write_u8(3);
                state.write_u128(ip.into());
            }
            Self::V6At(at, ip) => {
                state.write_u64(4 << KIND_SHIFT | site(at));
                state.write_u128(ip.into());
            }
            Self::Ether([a, b, c, d, e, f]) => {
                state.write_u64(5 << KIND_SHIFT | u64::from_be_bytes([0, 0, a, b, c, d, e, f]));
            }
            Self::Name(name) => {
                state.write_u8(6);
                name.hash(state);
            }
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

/// An address of a site is followed by it: `10.0.0.5@berlin`.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(site) = self.site().name() {
            return f.pad(&format!("{}@{}", self.bare(), crate::text::escape(site)));
        }
        match self {
            Self::None => f.pad("–"),
            Self::V4(ip) | Self::V4At(_, ip) => ip.fmt(f),
            Self::V6(ip) | Self::V6At(_, ip) => ip.fmt(f),
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
            address => address.bare().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_to_its_size() {
        assert_eq!(size_of::<Address>(), 18);
    }

    #[test]
    fn only_addresses_that_every_network_uses_again_belong_to_a_site() {
        let site = Site::named("oslo").unwrap();
        for text in [
            "10.0.0.5",
            "172.16.1.1",
            "192.168.1.1",
            "100.64.0.1",
            "169.254.1.1",
            "127.0.0.1",
            "fd00::1",
            "fe80::1",
            "web",
            "localhost",
            "192.168.1.##",
        ] {
            let address = Address::printed(text, false);
            let here = address.at(site);
            assert_ne!(here, address, "{text}");
            assert_eq!((here.site(), here.bare(), here.ip()), (site, address, address.ip()));
            assert_eq!(
                (here.to_string(), here.literal().to_string()),
                (format!("{text}@oslo"), address.literal().to_string())
            );
        }
        for text in [
            "192.0.2.1",
            "100.128.0.1",
            "255.255.255.255",
            "224.0.0.251",
            "0.0.0.0",
            "2001:db8::1",
            "ff02::1",
            "ns1.example.net",
        ] {
            let address = Address::printed(text, false);
            assert_eq!(address.at(site), address, "{text}");
        }
        assert_eq!(Address::printed("10.0.0.5", false).at(Site::NONE).site(), Site::NONE);
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
