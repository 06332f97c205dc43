//! DNS messages: queries, answers, EDNS and extended errors (RFC 1035, RFC 6891, RFC 8914).

use std::net::{Ipv4Addr, Ipv6Addr};

/// Type A.
pub const A: u16 = 1;
/// Type NS.
pub const NS: u16 = 2;
/// Type CNAME.
pub const CNAME: u16 = 5;
/// Type SOA.
pub const SOA: u16 = 6;
/// Type PTR.
pub const PTR: u16 = 12;
/// Type MX.
pub const MX: u16 = 15;
/// Type TXT.
pub const TXT: u16 = 16;
/// Type AAAA.
pub const AAAA: u16 = 28;
/// Type OPT.
pub const OPT: u16 = 41;
/// Type HTTPS (RFC 9460).
pub const HTTPS: u16 = 65;

/// NOERROR.
pub const NO_ERROR: u8 = 0;
/// SERVFAIL.
pub const SERVER_FAILURE: u8 = 2;
/// NXDOMAIN.
pub const NAME_ERROR: u8 = 3;
/// REFUSED.
pub const REFUSED: u8 = 5;

/// The time to live of generated records, seconds.
const TTL_S: u32 = 300;

/// A name in wire form; labels longer than 63 bytes are cut.
pub fn name(text: &str) -> Vec<u8> {
    let mut wire = Vec::with_capacity(text.len() + 2);
    for label in text.split('.').filter(|label| !label.is_empty()) {
        let bytes = label.as_bytes();
        let bytes = bytes.get(..63).unwrap_or(bytes);
        wire.push(bytes.len() as u8);
        wire.extend_from_slice(bytes);
    }
    wire.push(0);
    wire
}

/// One record of an answer, owned by the name that was asked.
#[derive(Clone, Debug)]
pub enum Data {
    /// A
    A(Ipv4Addr),
    /// AAAA
    Aaaa(Ipv6Addr),
    /// CNAME to another name; records after it belong to that name.
    Cname(String),
    /// PTR
    Ptr(String),
    /// TXT with one string of at most 255 bytes.
    Txt(String),
    /// Any type with its data.
    Other(u16, Vec<u8>),
}

/// A message under construction.
#[derive(Clone, Debug)]
pub struct Message {
    id: u16,
    flags: u16,
    question: Option<(String, u16)>,
    answers: Vec<Data>,
    edns: Option<u16>,
    extended_error: Option<(u16, String)>,
    cookie: Option<[u8; 8]>,
    soa: Option<String>,
}

/// A query with recursion desired and nothing else, as bytes: what `Packet::udp` wants most often.
pub fn query(id: u16, name: &str, qtype: u16) -> Vec<u8> {
    Message::query(id, name, qtype).bytes()
}

/// A successful answer with one record for type A or AAAA, as bytes.
pub fn answer(id: u16, name: &str, data: Data) -> Vec<u8> {
    let qtype = data.kind();
    Message::response(id, name, qtype, NO_ERROR).answer(data).bytes()
}

/// An answer without records and with a response code, as bytes.
pub fn failure(id: u16, name: &str, qtype: u16, response_code: u8) -> Vec<u8> {
    Message::response(id, name, qtype, response_code).bytes()
}

/// A message with the two-byte length in front, as DNS over TCP carries it (RFC 1035 §4.2.2).
pub fn over_tcp(message: &[u8]) -> Vec<u8> {
    let mut bytes = (message.len() as u16).to_be_bytes().to_vec();
    bytes.extend_from_slice(message);
    bytes
}

impl Data {
    fn kind(&self) -> u16 {
        match self {
            Self::A(_) => A,
            Self::Aaaa(_) => AAAA,
            Self::Cname(_) => CNAME,
            Self::Ptr(_) => PTR,
            Self::Txt(_) => TXT,
            Self::Other(kind, _) => *kind,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::A(address) => address.octets().to_vec(),
            Self::Aaaa(address) => address.octets().to_vec(),
            Self::Cname(target) | Self::Ptr(target) => name(target),
            Self::Txt(text) => {
                let bytes = text.as_bytes();
                let bytes = bytes.get(..255).unwrap_or(bytes);
                let mut data = vec![bytes.len() as u8];
                data.extend_from_slice(bytes);
                data
            }
            Self::Other(_, data) => data.clone(),
        }
    }
}

impl Message {
    fn new(id: u16, flags: u16, question: Option<(String, u16)>) -> Self {
        Self {
            id,
            flags,
            question,
            answers: Vec::new(),
            edns: None,
            extended_error: None,
            cookie: None,
            soa: None,
        }
    }

    /// A query with recursion desired.
    pub fn query(id: u16, name: &str, qtype: u16) -> Self {
        Self::new(id, 0x0100, Some((name.to_owned(), qtype)))
    }

    /// A response from a recursive server.
    pub fn response(id: u16, name: &str, qtype: u16, response_code: u8) -> Self {
        Self::new(id, 0x8180 | u16::from(response_code & 0xf), Some((name.to_owned(), qtype)))
    }

    /// A response without a question section, as some servers send errors.
    pub fn bare_response(id: u16, response_code: u8) -> Self {
        Self::new(id, 0x8180 | u16::from(response_code & 0xf), None)
    }

    /// Adds a record.
    #[must_use]
    pub fn answer(mut self, data: Data) -> Self {
        self.answers.push(data);
        self
    }

    /// Adds an OPT record announcing this UDP payload size.
    #[must_use]
    pub fn edns(mut self, size: u16) -> Self {
        self.edns = Some(size);
        self
    }

    /// Adds an extended DNS error (and an OPT record if there is none).
    #[must_use]
    pub fn extended_error(mut self, code: u16, text: &str) -> Self {
        self.extended_error = Some((code, text.to_owned()));
        self.edns = self.edns.or(Some(1232));
        self
    }

    /// Adds a client cookie (RFC 7873).
    #[must_use]
    pub fn cookie(mut self, cookie: [u8; 8]) -> Self {
        self.cookie = Some(cookie);
        self.edns = self.edns.or(Some(1232));
        self
    }

    /// Adds a start of authority record for a zone, as negative answers have.
    #[must_use]
    pub fn authority(mut self, zone: &str) -> Self {
        self.soa = Some(zone.to_owned());
        self
    }

    /// Sets the truncation bit.
    #[must_use]
    pub fn truncated(mut self) -> Self {
        self.flags |= 0x0200;
        self
    }

    /// Sets the flag word as a whole.
    #[must_use]
    pub fn flags(mut self, flags: u16) -> Self {
        self.flags = flags;
        self
    }

    /// The message in wire form.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        for word in [
            self.id,
            self.flags,
            u16::from(self.question.is_some()),
            self.answers.len() as u16,
            u16::from(self.soa.is_some()),
            u16::from(self.edns.is_some()),
        ] {
            out.extend_from_slice(&word.to_be_bytes());
        }
        if let Some((text, qtype)) = &self.question {
            out.extend_from_slice(&name(text));
            out.extend_from_slice(&qtype.to_be_bytes());
            out.extend_from_slice(&[0, 1]);
        }
        // Owners are pointers: to the question at first, after a CNAME to its target.
        let mut owner = 12u16;
        for data in &self.answers {
            let bytes = data.bytes();
            out.extend_from_slice(&(0xc000 | owner).to_be_bytes());
            record(&mut out, data.kind(), &bytes);
            if matches!(data, Data::Cname(_)) {
                owner = (out.len() - bytes.len()) as u16;
            }
        }
        if let Some(zone) = &self.soa {
            let mut data = name(&format!("ns1.{zone}"));
            data.extend_from_slice(&name(&format!("hostmaster.{zone}")));
            for number in [2_024_051_401u32, 7200, 900, 1_209_600, 300] {
                data.extend_from_slice(&number.to_be_bytes());
            }
            out.extend_from_slice(&name(zone));
            record(&mut out, SOA, &data);
        }
        if let Some(size) = self.edns {
            self.option_record(&mut out, size);
        }
        out
    }

    fn option_record(&self, out: &mut Vec<u8>, size: u16) {
        let mut options = Vec::new();
        let mut option = |code: u16, data: &[u8]| {
            options.extend_from_slice(&code.to_be_bytes());
            options.extend_from_slice(&(data.len() as u16).to_be_bytes());
            options.extend_from_slice(data);
        };
        if let Some(cookie) = &self.cookie {
            option(10, cookie);
        }
        if let Some((code, text)) = &self.extended_error {
            let mut data = code.to_be_bytes().to_vec();
            data.extend_from_slice(text.as_bytes());
            option(15, &data);
        }
        out.push(0);
        out.extend_from_slice(&OPT.to_be_bytes());
        out.extend_from_slice(&size.to_be_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&(options.len() as u16).to_be_bytes());
        out.extend_from_slice(&options);
    }
}

fn record(out: &mut Vec<u8>, kind: u16, data: &[u8]) {
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&[0, 1]);
    out.extend_from_slice(&TTL_S.to_be_bytes());
    out.extend_from_slice(&(data.len() as u16).to_be_bytes());
    out.extend_from_slice(data);
}
