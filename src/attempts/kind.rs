//! The services that are followed: a row for each, with its ports, who speaks first, and how long an answer may take.

use crate::time::Nanos;

/// A service that people use, or a protocol by which they use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// HTTP/1 in clear (RFC 9112).
    Http,
    /// TLS, whatever it carries (RFC 8446).
    Tls,
    /// QUIC (RFC 9000).
    Quic,
    /// DNS over QUIC (RFC 9250).
    Doq,
    /// SSH (RFC 4253).
    Ssh,
    /// SMTP (RFC 5321).
    Smtp,
    /// FTP (RFC 959).
    Ftp,
    /// IMAP (RFC 9051).
    Imap,
    /// POP3 (RFC 1939).
    Pop3,
    /// MySQL and MariaDB.
    Mysql,
    /// PostgreSQL.
    Postgres,
    /// Redis.
    Redis,
    /// MongoDB.
    Mongo,
    /// MQTT.
    Mqtt,
    /// AMQP 0-9-1.
    Amqp,
    /// BGP (RFC 4271).
    Bgp,
    /// RTSP (RFC 7826).
    Rtsp,
    /// LDAP (RFC 4511).
    Ldap,
    /// LDAP over UDP.
    Cldap,
    /// SMB.
    Smb,
    /// Remote desktop.
    Rdp,
    /// NTP (RFC 5905).
    Ntp,
    /// SNMP (RFC 3416).
    Snmp,
    /// SNMP notifications.
    Trap,
    /// Syslog (RFC 5426).
    Syslog,
    /// Flow export, metrics and the like, which nobody answers.
    Export,
    /// SIP (RFC 3261).
    Sip,
    /// SIP over TCP.
    SipTcp,
    /// Kerberos (RFC 4120).
    Kerberos,
    /// Kerberos over TCP.
    KerberosTcp,
    /// RADIUS (RFC 2865, RFC 2866).
    Radius,
    /// IKE of both versions (RFC 7296, RFC 2409).
    Ike,
    /// TFTP (RFC 1350).
    Tftp,
    /// DHCP of both versions of IP (RFC 2131, RFC 8415).
    Dhcp,
    /// ICMP echo.
    Echo,
    /// Some other protocol over TCP.
    Tcp,
    /// Some other protocol over UDP.
    Udp,
}

/// Who speaks first on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// The client asks.
    Client,
    /// The server greets.
    Server,
    /// It is not known.
    Unknown,
}

/// One row of the table.
#[derive(Debug)]
pub struct Row {
    /// Which service.
    pub kind: Kind,
    /// Its id in tables and filters.
    pub id: &'static str,
    /// What people call it.
    pub name: &'static str,
    /// IP protocol numbers; 1 stands for ICMP of both versions.
    pub transport: u8,
    /// Its ports.
    pub ports: &'static [u16],
    /// Who speaks first.
    pub first: First,
    /// Whether each request is answered; of the others silence tells nothing.
    pub answers: bool,
    /// How long a last request is watched before silence counts (services §2.3).
    pub watch_ns: Nanos,
}

/// A second.
const SECOND: Nanos = 1_000_000_000;
/// IP protocol number of TCP.
pub(super) const TCP: u8 = 6;
const UDP: u8 = 17;

const fn tcp(kind: Kind, id: &'static str, name: &'static str, ports: &'static [u16], first: First) -> Row {
    let answers = !matches!(first, First::Unknown);
    Row { kind, id, name, transport: TCP, ports, first, answers, watch_ns: 10 * SECOND }
}

const fn udp(kind: Kind, id: &'static str, name: &'static str, ports: &'static [u16], watch: Nanos) -> Row {
    let answers = watch > 0;
    Row { kind, id, name, transport: UDP, ports, first: First::Client, answers, watch_ns: watch * SECOND }
}

/// The table. A watch of 0 stands for protocols that nobody answers (services §1.9).
pub static KINDS: [Row; 37] = [
    tcp(Kind::Http, "http", "web", &[80, 8080, 8000, 3128, 8008, 8888], First::Client),
    tcp(Kind::Tls, "tls", "HTTPS", &[443, 8443], First::Client),
    tcp(Kind::Ssh, "ssh", "SSH", &[22, 2222], First::Server),
    tcp(Kind::Smtp, "smtp", "mail (SMTP)", &[25, 587], First::Server),
    tcp(Kind::Ftp, "ftp", "FTP", &[21], First::Server),
    tcp(Kind::Imap, "imap", "mail (IMAP)", &[143], First::Server),
    tcp(Kind::Pop3, "pop3", "mail (POP3)", &[110], First::Server),
    tcp(Kind::Mysql, "mysql", "MySQL", &[3306], First::Server),
    tcp(Kind::Postgres, "postgres", "PostgreSQL", &[5432], First::Client),
    tcp(Kind::Redis, "redis", "Redis", &[6379], First::Client),
    tcp(Kind::Mongo, "mongodb", "MongoDB", &[27017], First::Client),
    tcp(Kind::Mqtt, "mqtt", "messages (MQTT)", &[1883], First::Client),
    tcp(Kind::Amqp, "amqp", "messages (AMQP)", &[5672], First::Client),
    tcp(Kind::Bgp, "bgp", "routing (BGP)", &[179], First::Client),
    tcp(Kind::Rtsp, "rtsp", "video (RTSP)", &[554, 8554], First::Client),
    tcp(Kind::Ldap, "ldap", "directory (LDAP)", &[389, 3268], First::Client),
    tcp(Kind::Smb, "smb", "file sharing (SMB)", &[445, 139], First::Client),
    tcp(Kind::SipTcp, "sip-tcp", "telephony (SIP)", &[5060], First::Client),
    tcp(Kind::KerberosTcp, "kerberos-tcp", "sign-in (Kerberos)", &[88], First::Client),
    tcp(Kind::Rdp, "rdp", "remote desktop (RDP)", &[3389], First::Client),
    tcp(Kind::Tcp, "tcp", "TCP service", &[], First::Unknown),
    udp(Kind::Quic, "quic", "QUIC", &[443], 3),
    udp(Kind::Doq, "doq", "DNS over QUIC", &[853], 3),
    udp(Kind::Cldap, "cldap", "directory (LDAP over UDP)", &[389], 5),
    udp(Kind::Ntp, "ntp", "time (NTP)", &[123], 2),
    udp(Kind::Snmp, "snmp", "SNMP", &[161], 5),
    udp(Kind::Trap, "snmp-trap", "SNMP traps", &[162], 0),
    udp(Kind::Syslog, "syslog", "syslog", &[514], 0),
    udp(
        Kind::Export,
        "export",
        "one-way export",
        &[2055, 9995, 9996, 4739, 6343, 8125, 9, 12201, 4789, 8472, 6081, 2152],
        0,
    ),
    udp(Kind::Sip, "sip", "telephony (SIP)", &[5060], 32),
    udp(Kind::Kerberos, "kerberos", "sign-in (Kerberos)", &[88], 5),
    udp(Kind::Radius, "radius", "RADIUS", &[1812, 1813, 1645, 1646], 5),
    udp(Kind::Ike, "ike", "VPN (IKE)", &[500, 4500], 5),
    udp(Kind::Tftp, "tftp", "TFTP", &[69], 5),
    udp(Kind::Dhcp, "dhcp", "address assignment (DHCP)", &[67, 547], 10),
    Row {
        kind: Kind::Echo,
        id: "echo",
        name: "ping",
        transport: 1,
        ports: &[],
        first: First::Client,
        answers: true,
        watch_ns: 5 * SECOND,
    },
    OTHER,
];

/// What no other row names.
static OTHER_ROW: Row = OTHER;
/// The row of what no other names.
const OTHER: Row = Row {
    kind: Kind::Udp,
    id: "udp",
    name: "UDP service",
    transport: UDP,
    ports: &[],
    first: First::Unknown,
    answers: false,
    watch_ns: 5 * SECOND,
};

/// Further names of TLS by port: what it carries there.
const OVER_TLS: [(u16, &str); 8] = [
    (465, "mail over TLS (SMTPS)"),
    (636, "directory over TLS (LDAPS)"),
    (853, "DNS over TLS"),
    (993, "mail over TLS (IMAPS)"),
    (995, "mail over TLS (POP3S)"),
    (5061, "telephony over TLS (SIP)"),
    (5671, "messages over TLS (AMQPS)"),
    (8883, "messages over TLS (MQTT)"),
];

/// What programs do in the background: nobody waits for it while it fails.
const BACKGROUND: [Kind; 5] = [Kind::Ntp, Kind::Snmp, Kind::Trap, Kind::Syslog, Kind::Export];

impl Kind {
    /// Whether nobody waits for it.
    pub fn is_background(self) -> bool {
        BACKGROUND.contains(&self)
    }

    /// Its row.
    pub fn row(self) -> &'static Row {
        KINDS.iter().find(|row| row.kind == self).unwrap_or(&OTHER_ROW)
    }

    /// Its id in tables and filters.
    pub fn id(self) -> &'static str {
        self.row().id
    }

    /// The service usually found at a port.
    pub fn at(transport: u8, port: u16) -> Self {
        let over_tls = transport == TCP && OVER_TLS.iter().any(|(known, _)| *known == port);
        let row = KINDS.iter().find(|row| row.transport == transport && row.ports.contains(&port));
        match row {
            Some(row) => row.kind,
            None if over_tls => Self::Tls,
            None if transport == TCP => Self::Tcp,
            None if transport == UDP => Self::Udp,
            None => Self::Echo,
        }
    }

    /// What people call it at a port.
    pub fn name(self, port: u16) -> &'static str {
        let over_tls = OVER_TLS.iter().find(|(known, _)| self == Self::Tls && *known == port);
        match over_tls {
            Some((_, name)) => name,
            // What goes over TLS elsewhere may be anything.
            None if self == Self::Tls && port != 0 && !self.row().ports.contains(&port) => "TLS",
            None => self.row().name,
        }
    }

    /// Whether the server speaks first on a connection.
    pub fn greets(self) -> bool {
        self.row().first == First::Server
    }

    /// Whether each request is answered.
    pub fn answers(self) -> bool {
        self.row().answers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_one_row_and_every_port_one_kind() {
        for (at, row) in KINDS.iter().enumerate() {
            assert_eq!(row.kind.row().id, row.id);
            for other in &KINDS[at + 1..] {
                assert_ne!(row.kind, other.kind);
                let shared = row.ports.iter().find(|port| other.ports.contains(port));
                assert!(row.transport != other.transport || shared.is_none(), "{} {}", row.id, other.id);
            }
        }
        assert_eq!(Kind::at(TCP, 443), Kind::Tls);
        assert_eq!(Kind::at(TCP, 993).name(993), "mail over TLS (IMAPS)");
        assert_eq!((Kind::Tls.name(443), Kind::Tls.name(9_443)), ("HTTPS", "TLS"));
        assert_eq!(Kind::at(UDP, 40_000), Kind::Udp);
    }
}
